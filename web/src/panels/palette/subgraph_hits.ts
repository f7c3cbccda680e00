/** The workflow's own sub-graphs as entries of the palette: one can be used as often as one likes. */

import type { Graph, GraphId } from "@/graph/document";
import type { Fits, Hit } from "@/graph/search";
import { areCompatible } from "@/graph/sockets";
import { t } from "@/texts/index";

export function subgraphHits(subgraphs: ReadonlyMap<GraphId, Graph>, query: string, fits: Fits): readonly Hit[] {
  const sought = query.trim().toLowerCase();
  return [...subgraphs.values()]
    .filter((graph) => isFitting(graph, fits) && graph.name.toLowerCase().includes(sought))
    .map((graph) => hitOf(graph, graph.name.toLowerCase().indexOf(sought), sought.length));
}

function isFitting({ inputs, outputs }: Graph, { accepts, gives }: Fits): boolean {
  const takes = accepts === undefined || inputs.some((port) => areCompatible(port.type, accepts));
  return takes && (gives === undefined || outputs.some((port) => areCompatible(port.type, gives)));
}

function hitOf({ id, name }: Graph, start: number, length: number): Hit {
  const ranges = length === 0 ? [] : [[start, start + length] as const];
  return {
    id,
    title: name,
    category: t("palette.subgraphs"),
    ranges,
    alias: null,
    isDeprecated: false,
    isExperimental: false,
  };
}
