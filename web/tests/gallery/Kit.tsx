/** The components of `ui`, in all their states. */

import { Copy, Images, ListTree, Play, Save, Settings, Square, Trash2, Undo2 } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";

import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { confirm, ConfirmHost } from "@/ui/Confirm";
import { Dialog } from "@/ui/Dialog";
import { EmptyState } from "@/ui/EmptyState";
import { IconButton } from "@/ui/IconButton";
import { Keys } from "@/ui/Keys";
import { ContextMenu, MenuButton, type MenuItem } from "@/ui/Menu";
import { Panel } from "@/ui/Panel";
import { Popover } from "@/ui/Popover";
import { SearchField } from "@/ui/SearchField";
import { Select } from "@/ui/Select";
import { Slider } from "@/ui/Slider";
import { Spinner } from "@/ui/Spinner";
import { Switch } from "@/ui/Switch";
import { Tabs } from "@/ui/Tabs";
import { TextField } from "@/ui/TextField";
import { type ToastData, Toasts } from "@/ui/Toasts";

const nothing = () => undefined;

const ask = () =>
  void confirm({
    title: "Delete the workflow?",
    text: "It cannot be brought back.",
    action: "Delete",
    tone: "danger",
  });

const ITEMS: readonly MenuItem[] = [
  { id: "undo", label: "Undo move", icon: Undo2, keys: "Mod+KeyZ", onAction: nothing },
  { id: "copy", label: "Copy", icon: Copy, keys: "Mod+KeyC", onAction: nothing },
  { id: "paste", label: "Paste", keys: "Mod+KeyV", isDisabled: true, onAction: nothing },
  "separator",
  { id: "snap", label: "Snap to grid", isChecked: true, onAction: nothing },
  { id: "map", label: "Mini map", isChecked: false, onAction: nothing },
  "separator",
  { id: "align", label: "Align", items: [{ id: "left", label: "Left", onAction: nothing }] },
  { id: "delete", label: "Delete", icon: Trash2, keys: "Delete", tone: "danger", onAction: nothing },
];

const TOASTS: readonly ToastData[] = [
  { id: 1, tone: "info", text: "Connection is back", detail: "", action: null },
  { id: 2, tone: "success", text: "Saved as portrait.json", detail: "", action: null },
  {
    id: 3,
    tone: "warning",
    text: "Two nodes are of an unknown type",
    detail: "They are kept as they are.",
    action: null,
  },
  {
    id: 4,
    tone: "error",
    text: "The workflow could not be read",
    detail: "Line 3, column 14: expected a comma.",
    action: { label: "Show the file", run: nothing },
  },
];

function Row({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <div style={{ display: "flex", alignItems: "center", gap: 8, flexWrap: "wrap", margin: "12px 0" }}>
      <span style={{ width: 80, color: "var(--text-faint)" }}>{title}</span>
      {children}
    </div>
  );
}

export function Kit() {
  const asked = new URLSearchParams(location.search).get("open");
  const [search, setSearch] = useState("sampler");
  const [page, setPage] = useState<"queue" | "history">("queue");
  const [wire, setWire] = useState<"curved" | "straight">("curved");
  const [strength, setStrength] = useState(62);
  const [isOpen, setOpen] = useState(asked === "dialog");
  const [isShown, setShown] = useState(asked === "popover");
  const [at, setAt] = useState(asked === "menu" ? { x: 560, y: 60 } : null);
  const anchor = useRef<HTMLButtonElement>(null);
  return (
    <div style={{ display: "flex", gap: 24, padding: 24, alignItems: "flex-start" }}>
      <div style={{ width: 720 }}>
        {(["primary", "plain", "quiet", "danger"] as const).map((variant) => (
          <Row key={variant} title={variant}>
            <Button variant={variant} icon={Play}>
              Run
            </Button>
            <Button variant={variant}>Words</Button>
            <Button variant={variant} size="sm" icon={Save}>
              Small
            </Button>
            <Button variant={variant} isDisabled icon={Square}>
              Disabled
            </Button>
          </Row>
        ))}
        <Row title="icons">
          <IconButton icon={Images} label="Gallery" shortcut="KeyG" />
          <IconButton icon={ListTree} label="List" isActive />
          <IconButton icon={Settings} label="Settings" isDisabled />
          <IconButton icon={Copy} label="Copy" size="sm" />
          <Spinner /> <Spinner size={24} /> <Keys keys="Mod+Shift+KeyZ" /> <Keys keys="?" /> <Keys keys="Delete" />
        </Row>
        <Row title="badges">
          {(["neutral", "accent", "info", "success", "warning", "error"] as const).map((tone) => (
            <Badge key={tone} tone={tone}>
              {tone}
            </Badge>
          ))}
        </Row>
        <Row title="menus">
          <MenuButton label="Edit" items={ITEMS} />
          <MenuButton label="More" icon={Settings} isIconOnly items={ITEMS} />
          <Button onPress={(event) => setAt({ x: event.x + 200, y: 200 })}>Context menu</Button>
          <ContextMenu at={at} items={ITEMS} onClose={() => setAt(null)} />
          <Button onPress={() => setOpen(true)}>Dialog</Button>
          <Button onPress={ask}>Confirm</Button>
          <Button ref={anchor} onPress={() => setShown(true)}>
            Popover
          </Button>
          <Popover anchor={anchor} isOpen={isShown} onClose={() => setShown(false)} label="Popover">
            Something that floats.
          </Popover>
        </Row>
        <Row title="fields">
          <TextField label="Name" defaultValue="portrait" />
          <TextField label="Name" placeholder="Not yet named" description="A name for the file" />
          <TextField label="Name" defaultValue="a/b" error="No slashes, please." />
          <TextField label="Name" defaultValue="locked" isDisabled />
          <TextField label="Notes" defaultValue={"Two\nlines"} rows={3} />
        </Row>
        <Row title="choices">
          <SearchField value={search} onChange={setSearch} label="Search nodes" placeholder="Search nodes" />
          <Select
            label="Wires"
            isLabelHidden
            value={wire}
            onChange={setWire}
            options={[
              { id: "curved", label: "Curved" },
              { id: "straight", label: "Straight" },
            ]}
          />
          <Switch defaultSelected>Snap to grid</Switch>
          <Switch>Mini map</Switch>
          <Switch isDisabled>Disabled</Switch>
        </Row>
        <Row title="slider">
          <div style={{ width: 220 }}>
            <Slider label="Softness" value={strength} onChange={setStrength} />
          </div>
          <div style={{ width: 220 }}>
            <Slider label="Disabled" value={30} onChange={nothing} isDisabled />
          </div>
        </Row>
      </div>
      <div style={{ width: 340, height: 520, border: "1px solid var(--line)", borderRadius: 8, overflow: "hidden" }}>
        <Panel title="Queue" onClose={nothing} actions={<IconButton icon={Trash2} label="Clear" />}>
          <Tabs
            label="Queue"
            selected={page}
            onSelect={setPage}
            pages={[
              {
                id: "queue",
                label: "Waiting",
                icon: Play,
                badge: <Badge>3</Badge>,
                content: (
                  <EmptyState
                    icon={Images}
                    title="Nothing drawn yet"
                    text="Press Run, and what the workflow draws appears here, newest first."
                    action={<Button variant="primary">Run</Button>}
                  />
                ),
              },
              { id: "history", label: "History", content: "…" },
            ]}
          />
        </Panel>
      </div>
      <Dialog
        title="Export the workflow"
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        footer={
          <>
            <Button onPress={() => setOpen(false)}>Cancel</Button>
            <Button variant="primary">Export</Button>
          </>
        }
      >
        <TextField label="File name" defaultValue="portrait.json" />
      </Dialog>
      <ConfirmHost />
      <Toasts toasts={TOASTS} onDismiss={nothing} />
    </div>
  );
}
