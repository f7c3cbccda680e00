/** What is shown now, for those who are not components: the shown graph with the types and what its nodes made. */

import { executionId, type Graph, type Node, type NodeId, type Path } from "@/graph/document";
import type { Rect } from "@/graph/geometry";
import { useNodeTypes } from "@/state/node_types";
import { type NodeRun, useRun } from "@/state/run";
import { currentTab, shownGraph, useWorkbench } from "@/state/workbench";

import { type Made, layoutIn, rectIn, type Scene } from "./flow_nodes";

export function currentScene(): Scene | null {
  const tab = currentTab(useWorkbench.getState());
  if (tab === null) return null;
  const document = tab.history.present;
  const graph = shownGraph(tab);
  const made = madeIn(useRun.getState().nodes.get(document.id), tab.path, graph);
  return { document, graph, types: useNodeTypes.getState().types, made };
}

/** Where each node of the shown graph stands, as it is drawn. */
export function currentRects(): ReadonlyMap<NodeId, Rect> {
  const scene = currentScene();
  if (scene === null) return new Map();
  return new Map([...scene.graph.nodes.values()].map((node) => [node.id, rectIn(scene, node)]));
}

/** The sizes of nodes' bodies as they are drawn, for edits that must know them (groups, aligning, arranging). */
export function currentSizes(): ReadonlyMap<NodeId, DrawnSize> {
  const scene = currentScene();
  if (scene === null) return new Map();
  return new Map(
    [...scene.graph.nodes.values()].map((node) => {
      const { inputs, outputs } = layoutIn(scene, node);
      return [node.id, { ...bodySize(node, rectIn(scene, node)), inputs, outputs }];
    }),
  );
}

/** With how far below its upper edge each socket is. */
interface DrawnSize {
  readonly width: number;
  readonly height: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

function bodySize(node: Node, rect: Rect): { readonly width: number; readonly height: number } {
  return { width: rect.width, height: rect.y === node.y ? rect.height : rect.height - (node.y - rect.y) };
}

/** Which nodes made something to show. */
export function madeIn(runs: ReadonlyMap<string, NodeRun> | undefined, path: Path, graph: Graph): Made {
  const made = new Map<NodeId, string>();
  if (runs === undefined) return made;
  const prefix = path.length === 0 ? "" : `${executionId(path, "")}`;
  for (const [id, run] of runs) {
    if (run.output === null && run.preview === null) continue;
    if (!id.startsWith(prefix) || !graph.nodes.has(id.slice(prefix.length))) continue;
    const pictures = run.preview !== null || (run.output?.pictures.length ?? 0) > 0 ? "p" : "";
    const texts = (run.output?.texts.length ?? 0) > 0 ? "t" : "";
    if (pictures + texts !== "") made.set(id.slice(prefix.length), pictures + texts);
  }
  return made;
}

export function sameMade(one: Made, other: Made): boolean {
  return one.size === other.size && [...one].every(([id, what]) => other.get(id) === what);
}
