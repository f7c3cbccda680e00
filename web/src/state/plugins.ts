/** What became of the server's plugins, and to have them imported again. */

import { create } from "zustand";

import { plugins as ask, reloadPlugins as askForReload } from "@/api/client";
import { asFailure } from "@/api/failure";
import type { Plugin, PluginsReloaded } from "@/api/wire";
import { plural, t } from "@/texts/index";

import { loadNodeTypes, useNodeTypes } from "./node_types";
import { useRun } from "./run";
import { toast } from "./toasts";

interface PluginsState {
  /** null: the server has not said yet. */
  readonly plugins: readonly Plugin[] | null;
  /** Why they could not be read; "" where they could. */
  readonly message: string;
  /** What is being imported again: one plugin by its name, "" for all that changed; null: nothing. */
  readonly reloading: string | null;
  /** The failures that a person has been told and has put away, as `failureKey` says them. */
  readonly dismissed: string;
}

export const usePlugins = create<PluginsState>()(() => ({
  plugins: null,
  message: "",
  reloading: null,
  dismissed: "",
}));

const TOPIC = "plugins";
/** Milliseconds after the job that a reload waited for. */
const AFTER_JOB = 1500;

/** Those that should be there and are not. */
export function failuresAmong(plugins: readonly Plugin[] | null): readonly Plugin[] {
  return (plugins ?? []).filter(({ state }) => state === "failed" || state === "crashed");
}

/** The same failures, the same text. */
export function failureKey(plugins: readonly Plugin[] | null): string {
  return failuresAmong(plugins)
    .map(({ name, error }) => `${name}\n${error}`)
    .join("\n");
}

export function dismissFailures(): void {
  usePlugins.setState(({ plugins }) => ({ dismissed: failureKey(plugins) }));
}

/** Begins: reads them whenever the node types change, which is when plugins have. Returns: what ends it. */
export function watchPlugins(): () => void {
  const ends = [
    useNodeTypes.subscribe((state, before) => {
      if (state.types !== before.types) void loadPlugins();
    }),
    useRun.subscribe((state, before) => {
      if (state.connection === "open" && before.connection !== "open") void loadPlugins();
      if (isWaiting && !isBusy(state) && isBusy(before)) setTimeout(() => void readAnew(), AFTER_JOB);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

export async function loadPlugins(): Promise<void> {
  try {
    usePlugins.setState({ plugins: await ask(), message: "" });
  } catch (error) {
    usePlugins.setState({ message: asFailure(error).message || t("plugins.unread") });
  }
}

/** Has the server import plugins again: one, or (null) those that have changed or failed. Says what came of it. */
export async function reloadPlugins(name: string | null): Promise<void> {
  if (usePlugins.getState().reloading !== null) return;
  usePlugins.setState({ reloading: name ?? "" });
  try {
    const answer = await askForReload(name);
    usePlugins.setState({ plugins: answer.plugins, message: "" });
    isWaiting = !answer.done;
    await loadNodeTypes();
    tell(answer);
  } catch (error) {
    toast("error", t("plugins.not_reloaded"), { detail: asFailure(error).message, topic: TOPIC });
  } finally {
    usePlugins.setState({ reloading: null });
  }
}

/** Whether a worker has yet to do what it was asked, after its job. */
let isWaiting = false;

async function readAnew(): Promise<void> {
  isWaiting = false;
  await loadNodeTypes();
  await loadPlugins();
}

function isBusy({ active }: { readonly active: readonly { readonly status: string }[] }): boolean {
  return active.some((each) => each.status === "in_progress");
}

function tell({ done, reloaded, plugins }: PluginsReloaded): void {
  if (!done) return toast("info", t("plugins.later"), { topic: TOPIC });
  if (reloaded.length === 0) return toast("info", t("plugins.nothing_changed"), { topic: TOPIC });
  const failed = failuresAmong(plugins).filter(({ name }) => reloaded.includes(name));
  if (failed.length === 0)
    return toast("success", t("plugins.reloaded", { names: listed(reloaded) }), { topic: TOPIC });
  const detail = failed.map(({ name, error }) => `${name}: ${error}`).join("\n");
  toast("warning", plural("plugins.failed", failed.length), { detail, topic: TOPIC });
}

function listed(names: readonly string[]): string {
  return names.join(", ");
}

// ---------------------------------------------------------------------------------------------------- missing node types

/** Why the server may not have a node type, as far as the plugins tell; "" while nobody knows. */
export function whyMissing(type: string, plugins: readonly Plugin[] | null): string {
  if (plugins === null) return "";
  for (const plugin of plugins) {
    const problem = plugin.problems.find((each) => each.startsWith(`node ${type}: `));
    if (problem !== undefined) return t("plugins.missing.unusable", { plugin: plugin.name, problem });
    if (!plugin.named.includes(type)) continue;
    if (plugin.state === "disabled" || plugin.state === "skipped")
      return t("plugins.missing.off", { plugin: plugin.name, error: plugin.error });
    return t("plugins.missing.failed", { plugin: plugin.name, error: plugin.error });
  }
  return t("plugins.missing.none");
}

/** The whole sentence about a node type that the server does not have. */
export function unknownTypeWords(type: string): string {
  const why = whyMissing(type, usePlugins.getState().plugins);
  return why === "" ? t("reason.unknown_type", { type }) : `${t("plugins.missing", { type })} ${why}`;
}
