/** The icons at the side: each opens its drawer, or closes it again. */

import { CircleHelp, FolderOpen, Images, LayoutList, ListTree, Puzzle, Settings, SquarePlus } from "lucide-react";

import { useCommands } from "@/state/commands";
import { failuresAmong, usePlugins } from "@/state/plugins";
import { useRun } from "@/state/run";
import { plural, t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import type { LucideIcon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";

import { ask, type Drawer, toggleDrawer, useLayout } from "./layout";
import styles from "./Rail.module.css";

const ICONS: Readonly<Record<Drawer, LucideIcon>> = {
  nodes: SquarePlus,
  workflows: FolderOpen,
  gallery: Images,
  queue: LayoutList,
  outline: ListTree,
  plugins: Puzzle,
};

export function Rail() {
  return (
    <nav className={styles.rail} aria-label={t("rail.name")}>
      {(["nodes", "workflows", "gallery", "queue", "outline", "plugins"] as const).map((drawer) => (
        <RailButton key={drawer} drawer={drawer} />
      ))}
      <span className={styles.gap} />
      <IconButton
        icon={CircleHelp}
        label={t("command.help.shortcuts")}
        shortcut="?"
        onPress={() => ask({ kind: "shortcuts" })}
      />
      <IconButton
        icon={Settings}
        label={t("command.help.settings")}
        shortcut="Mod+Comma"
        onPress={() => ask({ kind: "settings" })}
      />
    </nav>
  );
}

function RailButton({ drawer }: { readonly drawer: Drawer }) {
  const isOpen = useLayout((state) => state.drawer === drawer);
  const waiting = useRun((state) => (drawer === "queue" ? state.active.length + state.more : 0));
  const failed = usePlugins((state) => (drawer === "plugins" ? failuresAmong(state.plugins).length : 0));
  const keys = useCommands((state) => state.commands.get(`view.${drawer}`)?.keys[0]);
  const label = t(`drawer.${drawer}`);
  const count = waiting + failed;
  const words = failed > 0 ? plural("plugins.failed", failed) : plural("run.jobs", waiting);
  return (
    <span className={styles.item}>
      <IconButton
        icon={ICONS[drawer]}
        label={count > 0 ? `${label} (${words})` : label}
        isActive={isOpen}
        shortcut={keys}
        className={styles.button}
        onPress={() => toggleDrawer(drawer)}
      />
      {count > 0 && (
        <span className={classes(styles.count, failed > 0 && styles.failed)} aria-hidden>
          {count > 99 ? "99+" : count}
        </span>
      )}
    </span>
  );
}
