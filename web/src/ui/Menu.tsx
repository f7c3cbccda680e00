/** Menus: below a button (`MenuButton`) or where the pointer is (`ContextMenu`), both from a list of `MenuItem`s. */

import { Check, ChevronDown, ChevronRight } from "lucide-react";
import { useRef } from "react";
import {
  Menu as AriaMenu,
  MenuItem as AriaMenuItem,
  MenuSection,
  MenuTrigger,
  Popover,
  Separator,
  SubmenuTrigger,
} from "react-aria-components";

import { t } from "@/texts/index";

import { Button, type ButtonProps } from "./Button";
import { classes } from "./class_names";
import { Icon, type LucideIcon } from "./Icon";
import { IconButton } from "./IconButton";
import { keycaps } from "./keycaps";
import { type MenuAction, type MenuItem, type MenuPart, partsOf } from "./menu_item";
import styles from "./Menu.module.css";

export type { MenuAction, MenuItem } from "./menu_item";

interface MenuButtonProps {
  /** Shown, or, with `isIconOnly`, read and shown as a tooltip. */
  readonly label: string;
  readonly icon?: LucideIcon | undefined;
  readonly isIconOnly?: boolean;
  readonly items: readonly MenuItem[];
  readonly variant?: ButtonProps["variant"];
  readonly size?: "sm" | "md";
  readonly isDisabled?: boolean;
}

export function MenuButton(props: MenuButtonProps) {
  const { label, icon, isIconOnly = false, items, variant = "quiet", size = "md", isDisabled = false } = props;
  const button =
    isIconOnly && icon !== undefined ? (
      <IconButton icon={icon} label={label} size={size} isDisabled={isDisabled} />
    ) : (
      <Button icon={icon} variant={variant} size={size} isDisabled={isDisabled}>
        {label}
        <Icon icon={ChevronDown} size={14} />
      </Button>
    );
  return (
    <MenuTrigger>
      {button}
      <Popover className={styles.popover ?? ""} offset={4} placement="bottom start">
        <Items label={label} items={items} />
      </Popover>
    </MenuTrigger>
  );
}

interface ContextMenuProps {
  /** Where in the window; null: closed. */
  readonly at: { readonly x: number; readonly y: number } | null;
  readonly items: readonly MenuItem[];
  readonly onClose: () => void;
  readonly label?: string | undefined;
}

export function ContextMenu({ at, items, onClose, label }: ContextMenuProps) {
  const anchor = useRef<HTMLSpanElement>(null);
  if (at === null) return null;
  return (
    <>
      <span ref={anchor} className={styles.anchor} style={{ left: at.x, top: at.y }} />
      <Popover
        key={`${at.x},${at.y}`}
        triggerRef={anchor}
        isOpen
        onOpenChange={(open) => !open && onClose()}
        placement="bottom start"
        offset={0}
        className={styles.popover ?? ""}
      >
        <Items label={label ?? t("ui.menu")} items={items} onClose={onClose} autoFocus />
      </Popover>
    </>
  );
}

interface ItemsProps {
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly onClose?: () => void;
  readonly autoFocus?: boolean;
}

function Items({ label, items, onClose, autoFocus = false }: ItemsProps) {
  // Where some have an icon, all labels stand behind that column.
  const hasIcons = items.some((item) => item !== "separator" && (item.icon ?? item.isChecked) !== undefined);
  return (
    <AriaMenu
      aria-label={label}
      className={styles.menu ?? ""}
      {...(onClose === undefined ? {} : { onClose })}
      {...(autoFocus ? { autoFocus: "first" as const } : {})}
    >
      {partsOf(items).map((part) => drawPart(part, hasIcons, onClose))}
    </AriaMenu>
  );
}

/** `onClose` closes the whole menu, also from a menu inside it. */
function drawPart(part: MenuPart, hasIcons: boolean, onClose: (() => void) | undefined) {
  if (part.kind === "separator") return <Separator key={part.key} className={styles.separator ?? ""} />;
  if (part.kind === "actions") return part.items.map((item) => drawItem(item, hasIcons, onClose));
  const checked = part.items.filter((item) => item.isChecked === true).map((item) => item.id);
  return (
    <MenuSection key={part.key} aria-label={t("ui.choices")} selectionMode="multiple" selectedKeys={checked}>
      {part.items.map((item) => drawItem(item, hasIcons, onClose))}
    </MenuSection>
  );
}

function drawItem(item: MenuAction, hasIcons: boolean, onClose: (() => void) | undefined) {
  if (item.items === undefined) return <Item key={item.id} item={item} hasIcons={hasIcons} />;
  return (
    <SubmenuTrigger key={item.id}>
      <Item item={item} hasIcons={hasIcons} />
      <Popover className={styles.popover ?? ""} offset={-2}>
        <Items label={item.label} items={item.items} {...(onClose === undefined ? {} : { onClose })} />
      </Popover>
    </SubmenuTrigger>
  );
}

function Item({ item, hasIcons }: { readonly item: MenuAction; readonly hasIcons: boolean }) {
  const mark = item.isChecked === true ? Check : item.icon;
  return (
    <AriaMenuItem
      id={item.id}
      textValue={item.label}
      isDisabled={item.isDisabled ?? false}
      shouldCloseOnSelect
      className={classes(styles.item, item.tone === "danger" && styles.danger)}
      {...(item.onAction === undefined ? {} : { onAction: item.onAction })}
    >
      {hasIcons && <span className={styles.icon}>{mark !== undefined && <Icon icon={mark} />}</span>}
      <span className={styles.label}>{item.label}</span>
      {item.keys !== undefined && <span className={styles.keys}>{keycaps(item.keys).join(" ")}</span>}
      {item.items !== undefined && <Icon icon={ChevronRight} size={14} className={styles.more} />}
    </AriaMenuItem>
  );
}
