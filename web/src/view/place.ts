/** Where the canvas stands: which document, which of its graphs. Given to everything drawn on it. */

import { createContext, useContext } from "react";

import { executionId, type GraphId, type NodeId, type Path, ROOT } from "@/graph/document";

export interface Place {
  readonly documentId: string;
  readonly graphId: GraphId;
  readonly path: Path;
}

export const PlaceContext = createContext<Place>({ documentId: "", graphId: ROOT, path: [] });

export function usePlace(): Place {
  return useContext(PlaceContext);
}

export function useExecutionId(id: NodeId): string {
  return executionId(usePlace().path, id);
}
