/**
 * Choices that a plugin offers at a route of its own (`remote` in an input's options), read when they are first shown
 * and again with everything else that is read anew.
 */

import { create } from "zustand";

import { remoteChoices as ask } from "@/api/client";
import { isObject } from "@/json/exact";
import type { InputType } from "@/graph/node_type";
import type { JsonObject, Value } from "@/graph/value";

interface Remote {
  /** Below the server's own address; "" for one elsewhere, which is not read. */
  readonly path: string;
  /** Under which key of the answer the list stands; "" when the answer is the list. */
  readonly key: string;
}

interface RemoteState {
  /** By path and key. */
  readonly choices: ReadonlyMap<string, readonly Value[]>;
}

export const useRemoteChoices = create<RemoteState>()(() => ({ choices: new Map() }));

const shown = new Map<string, Remote>();

/** Where an input's choices are; null for inputs that have theirs with them. */
export function remoteOf(input: InputType): Remote | null {
  const told = input.options["remote"];
  if (!isObject(told)) return null;
  const given = told as unknown as JsonObject;
  const [route, key, query] = [given["route"], given["response_key"], given["query_params"]];
  if (typeof route !== "string" || !route.startsWith("/") || route.startsWith("//")) return { path: "", key: "" };
  const path = route.replace(/^\/(api\/)?/, "");
  const asked = isObject(query) ? Object.entries(query).map(([name, value]) => [name, String(value)]) : [];
  const search = asked.length === 0 ? "" : `${path.includes("?") ? "&" : "?"}${new URLSearchParams(asked).toString()}`;
  return { path: `${path}${search}`, key: typeof key === "string" ? key : "" };
}

export function keyOf({ path, key }: Remote): string {
  return `${path}\n${key}`;
}

/** Reads the choices of an input, once; later readings come with `rereadChoices`. */
export function showChoices(remote: Remote): void {
  if (remote.path === "" || shown.has(keyOf(remote))) return;
  shown.set(keyOf(remote), remote);
  void read(remote);
}

/** Reads all choices anew that were shown. */
export async function rereadChoices(): Promise<void> {
  await Promise.all([...shown.values()].map(read));
}

/** What cannot be read stays as it was. */
async function read(remote: Remote): Promise<void> {
  const answer = await ask(remote.path).catch(() => null);
  const found: unknown = remote.key !== "" && isObject(answer) ? answer[remote.key] : answer;
  if (!Array.isArray(found)) return;
  useRemoteChoices.setState(({ choices }) => ({ choices: new Map(choices).set(keyOf(remote), found as Value[]) }));
}
