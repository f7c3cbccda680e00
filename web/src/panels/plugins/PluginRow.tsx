/** One plugin: its line, its error, and, opened, all that is known about it. */

import { ChevronRight, Copy, RefreshCw } from "lucide-react";
import type { ReactNode } from "react";

import type { Plugin, PluginState } from "@/api/wire";
import { reloadPlugins, usePlugins } from "@/state/plugins";
import { toast } from "@/state/toasts";
import { language, plural, t } from "@/texts/index";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";

import styles from "./Plugins.module.css";

const TONES: Readonly<Record<PluginState, "success" | "error" | "neutral">> = {
  loaded: "success",
  failed: "error",
  crashed: "error",
  skipped: "neutral",
  disabled: "neutral",
};

interface PluginRowProps {
  readonly plugin: Plugin;
  readonly isOpen: boolean;
  readonly onToggle: (path: string) => void;
}

export function PluginRow({ plugin, isOpen, onToggle }: PluginRowProps) {
  const { name, version, state, error } = plugin;
  const reloading = usePlugins((each) => each.reloading);
  return (
    <li className={styles.plugin} data-plugin={name}>
      <div className={styles.line}>
        <button
          type="button"
          className={styles.name}
          aria-expanded={isOpen}
          aria-label={t(isOpen ? "plugins.close" : "plugins.open", { name })}
          onClick={() => onToggle(plugin.path)}
        >
          <Icon icon={ChevronRight} size={14} className={classes(styles.arrow, isOpen && styles.turned)} />
          <span className={styles.title}>{name}</span>
          {version !== "" && <span className={styles.version}>{version}</span>}
        </button>
        <Badge tone={TONES[state]}>{t(`plugins.state.${state}`)}</Badge>
        <IconButton
          icon={RefreshCw}
          size="sm"
          label={t("plugins.reload_one", { name })}
          isDisabled={reloading !== null && reloading !== name}
          onPress={() => void reloadPlugins(name)}
        />
      </div>
      <p className={styles.facts}>{factsOf(plugin).join(" · ")}</p>
      {error !== "" && (
        <p className={state === "loaded" || TONES[state] === "error" ? styles.error : styles.facts}>{error}</p>
      )}
      {isOpen && <Details plugin={plugin} />}
    </li>
  );
}

function factsOf({ seconds, nodes, problems, web, state }: Plugin): readonly string[] {
  const time = seconds.toLocaleString(language(), { maximumFractionDigits: 2 });
  return [
    ...(seconds >= 0.005 ? [t("plugins.seconds", { seconds: time })] : []),
    ...(state === "loaded" || nodes.length > 0 ? [plural("plugins.nodes", nodes.length)] : []),
    ...(problems.length > 0 ? [`${t("plugins.problems")}: ${String(problems.length)}`] : []),
    ...(Object.keys(web).length > 0 ? [t("plugins.web")] : []),
  ];
}

function Details({ plugin }: { readonly plugin: Plugin }) {
  const { path, nodes, named, problems, web, traceback } = plugin;
  return (
    <dl className={styles.details}>
      <Fact name={t("plugins.path")}>
        <code>{path}</code>
      </Fact>
      {nodes.length > 0 && <Fact name={t("plugins.brings")}>{nodes.join(", ")}</Fact>}
      {named.length > 0 && <Fact name={t("plugins.named")}>{named.join(", ")}</Fact>}
      {problems.length > 0 && (
        <Fact name={t("plugins.problems")}>
          <ul className={styles.problems}>
            {problems.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        </Fact>
      )}
      {Object.keys(web).length > 0 && <Fact name={Object.keys(web).join(", ")}>{t("plugins.web_text")}</Fact>}
      {traceback !== "" && (
        <Fact name={t("plugins.traceback")}>
          <Button size="sm" icon={Copy} onPress={() => void copy(traceback)}>
            {t("plugins.copy")}
          </Button>
          {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls is reached by keys */}
          <pre className={styles.traceback} tabIndex={0} aria-label={t("plugins.traceback")} role="region">
            {traceback}
          </pre>
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div className={styles.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast("success", t("plugins.copied"));
  } catch {
    toast("error", t("plugins.not_copied"));
  }
}
