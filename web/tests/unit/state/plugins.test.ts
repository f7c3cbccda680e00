/** What the editor says of plugins, and what a reload does to it. */

import type { ServerResponse } from "node:http";

import { afterEach, beforeEach, expect, test } from "vitest";

import { setPlace } from "@/api/client";
import type { Plugin } from "@/api/wire";
import { useNodeTypes } from "@/state/node_types";
import {
  dismissFailures,
  failureKey,
  failuresAmong,
  reloadPlugins,
  unknownTypeWords,
  usePlugins,
  watchPlugins,
  whyMissing,
} from "@/state/plugins";
import { keyOf, remoteOf, rereadChoices, showChoices, useRemoteChoices } from "@/state/remote_choices";
import { useRun } from "@/state/run";
import { useToasts } from "@/state/toasts";

import { serve, type TestServer } from "../api/server";

function plugin(name: string, more: Partial<Plugin> = {}): Plugin {
  const nothing = { error: "", traceback: "", seconds: 0.1, nodes: [], problems: [], named: [], web: {}, version: "" };
  return { name, path: `/custom_nodes/${name}`, state: "loaded", ...nothing, ...more };
}

const BROKEN = plugin("broken", { state: "failed", error: "ImportError: no cv2", named: ["Blur"] });

let server: TestServer;
let answers: Map<string, unknown>;

beforeEach(async () => {
  answers = new Map<string, unknown>([["/api/object_info", {}]]);
  server = await serve((response: ServerResponse, url) => {
    const answer = answers.get(url);
    response.writeHead(answer === undefined ? 404 : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer ?? { error: "there is no plugin" }));
  });
  setPlace(server.address);
  usePlugins.setState({ plugins: null, message: "", reloading: null, dismissed: "" });
  useNodeTypes.setState({ types: new Map(), status: "ready", message: "" });
  useToasts.setState({ toasts: [] });
});

afterEach(() => server.close());

function said(): readonly (readonly [string, string, string])[] {
  return useToasts.getState().toasts.map(({ tone, text, detail }) => [tone, text, detail]);
}

test("failures are counted until they are put away, and again when others come", () => {
  usePlugins.setState({ plugins: [plugin("good"), BROKEN, plugin("off", { state: "disabled" })] });
  expect(failuresAmong(usePlugins.getState().plugins).map(({ name }) => name)).toEqual(["broken"]);
  dismissFailures();
  expect(usePlugins.getState().dismissed).toBe(failureKey([BROKEN]));
  expect(failureKey([{ ...BROKEN, error: "SyntaxError" }])).not.toBe(usePlugins.getState().dismissed);
});

test("a reload asks for one or for all, reads the nodes anew, and says what came of it", async () => {
  answers.set("/api/object_info", { Blur: { input: { required: {} }, output: [] } });
  answers.set("/api/plugins/reload", {
    done: true,
    reloaded: ["blur"],
    plugins: [plugin("blur", { nodes: ["Blur"] })],
  });
  await reloadPlugins("blur");
  expect(server.requests.map(({ method, url, body }) => [method, url, body])).toEqual([
    ["POST", "/api/plugins/reload", '{"name":"blur"}'],
    ["GET", "/api/object_info", ""],
  ]);
  expect(useNodeTypes.getState().types.has("Blur")).toBe(true);
  expect(usePlugins.getState()).toMatchObject({ reloading: null, plugins: [{ name: "blur" }] });
  expect(said()).toEqual([["success", "Loaded again: blur", ""]]);

  answers.set("/api/plugins/reload", { done: true, reloaded: ["broken"], plugins: [BROKEN] });
  await reloadPlugins(null);
  expect(server.requests.at(-2)?.body).toBe("{}");
  expect(said()).toEqual([["warning", "1 plugin could not be loaded.", "broken: ImportError: no cv2"]]);

  answers.set("/api/plugins/reload", { done: true, reloaded: [], plugins: [] });
  await reloadPlugins(null);
  expect(said()).toEqual([["info", "No plugin has changed.", ""]]);

  answers.delete("/api/plugins/reload");
  await reloadPlugins("nobody");
  expect(said()).toEqual([["error", "The plugins could not be loaded again.", "there is no plugin"]]);
  expect(usePlugins.getState().reloading).toBeNull();
});

test("a reload that waits for a job is looked at when the job has ended", async () => {
  const stop = watchPlugins();
  answers.set("/api/plugins/reload", { done: false, reloaded: [], plugins: [plugin("old")] });
  const running = { id: "1", status: "in_progress" } as never;
  useRun.setState({ active: [running] });
  await reloadPlugins(null);
  expect(said()[0]?.[1]).toContain("A job is running.");
  answers.set("/api/plugins", [plugin("new")]);
  useRun.setState({ active: [] });
  await expect.poll(() => usePlugins.getState().plugins?.[0]?.name, { timeout: 5000 }).toBe("new");
  stop();
});

test("a node type that is not there is explained by the plugin that names it", () => {
  expect(unknownTypeWords("Blur")).toContain("The plugin that brings it may be missing.");
  usePlugins.setState({ plugins: [plugin("good", { nodes: ["Other"] }), BROKEN] });
  expect(unknownTypeWords("Blur")).toBe(
    "The server does not know “Blur”. The plugin “broken” names it, but could not be loaded: ImportError: no cv2",
  );
  expect(whyMissing("Gone", [BROKEN])).toBe("No plugin here has it.");
  const off = plugin("off", { state: "disabled", error: "disabled by its name", named: ["Gone"] });
  expect(whyMissing("Gone", [off])).toContain("left out: disabled by its name");
  const odd = plugin("odd", { problems: ["node Gone: TypeError: no FUNCTION"] });
  expect(whyMissing("Gone", [odd])).toContain("cannot be used: node Gone: TypeError");
});

test("choices at a plugin's route are read when they are shown, and again on demand", async () => {
  const remote = { route: "/api/words", response_key: "words", query_params: { kind: "short" } };
  const input = { name: "word", type: "COMBO", required: true, choices: [], options: { remote } };
  const found = remoteOf(input);
  if (found === null) throw new Error("it is remote");
  answers.set("/api/words?kind=short", { words: ["a"] });
  showChoices(found);
  await expect.poll(() => useRemoteChoices.getState().choices.get(keyOf(found))).toEqual(["a"]);
  answers.set("/api/words?kind=short", { words: ["a", "b"] });
  showChoices(found); // once is enough
  expect(server.requests).toHaveLength(1);
  await rereadChoices();
  expect(useRemoteChoices.getState().choices.get(keyOf(found))).toEqual(["a", "b"]);
  answers.delete("/api/words?kind=short");
  await rereadChoices();
  expect(useRemoteChoices.getState().choices.get(keyOf(found))).toEqual(["a", "b"]);
  expect(remoteOf({ ...input, options: {} })).toBeNull();
  expect(remoteOf({ ...input, options: { remote: { route: "https://elsewhere.example/x" } } })?.path).toBe("");
});
