/** The tools of the mask editor, the brush's size and softness, and how the mask is shown. */

import { Brush, Contrast, Eraser, Hand, Layers2, Redo2, SquareDashed, Trash2, Undo2 } from "lucide-react";
import type { ReactNode } from "react";

import { t } from "@/texts/index";
import { IconButton } from "@/ui/IconButton";
import { Slider } from "@/ui/Slider";

import { placeOfSize, setBrush, sizeAt, type Tool, useBrush } from "./brush_settings";
import styles from "./Mask.module.css";
import type { MaskPainter, PainterState } from "./painter";

const TOOLS = [
  { tool: "brush", icon: Brush, label: "mask.brush", shortcut: "KeyB" },
  { tool: "eraser", icon: Eraser, label: "mask.eraser", shortcut: "KeyE" },
  { tool: "rectangle", icon: SquareDashed, label: "mask.rectangle", shortcut: "KeyR" },
  { tool: "hand", icon: Hand, label: "mask.hand", shortcut: "KeyH" },
] as const satisfies readonly { tool: Tool; [key: string]: unknown }[];

interface MaskToolsProps {
  readonly painter: MaskPainter;
  readonly state: PainterState;
}

export function MaskTools({ painter, state }: MaskToolsProps) {
  const { tool, size, softness, look, opacity } = useBrush();
  return (
    <div className={styles.tools} role="toolbar" aria-label={t("mask.tools")} aria-orientation="vertical">
      <div className={styles.buttons}>
        {TOOLS.map((each) => (
          <IconButton
            key={each.tool}
            icon={each.icon}
            label={t(each.label)}
            shortcut={each.shortcut}
            isActive={tool === each.tool}
            onPress={() => setBrush({ tool: each.tool })}
          />
        ))}
      </div>
      <Setting label={t("mask.size")} value={t("mask.pixels", { count: size })}>
        <Slider
          label={t("mask.size")}
          isLabelHidden
          value={placeOfSize(size)}
          onChange={(place) => setBrush({ size: sizeAt(place) })}
        />
      </Setting>
      <Setting label={t("mask.softness")} value={percent(softness)}>
        <Slider
          label={t("mask.softness")}
          isLabelHidden
          value={Math.round(softness * 100)}
          onChange={(value) => setBrush({ softness: value / 100 })}
        />
      </Setting>
      <Setting label={t("mask.opacity")} value={percent(opacity)}>
        <Slider
          label={t("mask.opacity")}
          isLabelHidden
          min={10}
          value={Math.round(opacity * 100)}
          isDisabled={look === "mask"}
          onChange={(value) => setBrush({ opacity: value / 100 })}
        />
      </Setting>
      <div className={styles.buttons}>
        <IconButton
          icon={Undo2}
          label={t("mask.undo")}
          shortcut="Mod+KeyZ"
          isDisabled={!state.canUndo}
          onPress={() => painter.undo()}
        />
        <IconButton
          icon={Redo2}
          label={t("mask.redo")}
          shortcut="Mod+Shift+KeyZ"
          isDisabled={!state.canRedo}
          onPress={() => painter.redo()}
        />
        <IconButton icon={Contrast} label={t("mask.invert")} shortcut="KeyI" onPress={() => painter.invert()} />
        <IconButton icon={Trash2} label={t("mask.clear")} shortcut="Delete" onPress={() => painter.clear()} />
        <IconButton
          icon={Layers2}
          label={t("mask.look")}
          shortcut="KeyV"
          isActive={look === "mask"}
          onPress={() => setBrush({ look: look === "mask" ? "overlay" : "mask" })}
        />
      </div>
      <p className={styles.hint}>{t("mask.hint")}</p>
    </div>
  );
}

function Setting({ label, value, children }: { readonly label: string; readonly value: string; children: ReactNode }) {
  return (
    <div className={styles.setting}>
      <span>{label}</span>
      <span className={styles.number}>{value}</span>
      <div className={styles.slider}>{children}</div>
    </div>
  );
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
