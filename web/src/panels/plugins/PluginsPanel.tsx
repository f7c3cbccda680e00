/** The server's plugins: what became of each, and a way to have them imported again. */

import { Puzzle, RefreshCw } from "lucide-react";
import { useEffect, useState } from "react";

import type { Plugin } from "@/api/wire";
import { loadPlugins, reloadPlugins, usePlugins } from "@/state/plugins";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { EmptyState } from "@/ui/EmptyState";
import { Panel } from "@/ui/Panel";
import { Spinner } from "@/ui/Spinner";

import { PluginRow } from "./PluginRow";
import styles from "./Plugins.module.css";

const FOLDER = "custom_nodes";

export function PluginsPanel({ onClose }: { readonly onClose: () => void }) {
  const plugins = usePlugins((state) => state.plugins);
  const message = usePlugins((state) => state.message);
  useEffect(() => void loadPlugins(), []);
  return (
    <Panel title={t("drawer.plugins")} onClose={onClose}>
      <div className={styles.content}>
        <ReloadAll />
        {message !== "" && (
          <p className={styles.error} role="alert">
            {message}
          </p>
        )}
        {plugins === null ? message === "" && <Spinner size={20} /> : <List plugins={plugins} />}
      </div>
    </Panel>
  );
}

function ReloadAll() {
  const reloading = usePlugins((state) => state.reloading);
  return (
    <div className={styles.bar}>
      <Button icon={RefreshCw} isPending={reloading !== null} onPress={() => void reloadPlugins(null)}>
        {t("plugins.reload_all")}
      </Button>
      {reloading !== null && <Spinner size={14} label={t("plugins.reloading")} />}
    </div>
  );
}

function rank({ state }: Plugin): number {
  return state === "failed" || state === "crashed" ? 0 : 1;
}

/** Those that need somebody first, then by name. */
function List({ plugins }: { readonly plugins: readonly Plugin[] }) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const toggle = (path: string): void => {
    const next = new Set(open);
    if (!next.delete(path)) next.add(path);
    setOpen(next);
  };
  if (plugins.length === 0) {
    return <EmptyState icon={Puzzle} title={t("plugins.none")} text={t("plugins.none_text", { folder: FOLDER })} />;
  }
  const sorted = plugins.toSorted((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
  return (
    <ul className={styles.list}>
      {sorted.map((plugin) => (
        <PluginRow key={plugin.path} plugin={plugin} isOpen={open.has(plugin.path)} onToggle={toggle} />
      ))}
    </ul>
  );
}
