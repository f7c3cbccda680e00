/** What is wrong with a document before it is sent; filled in below. */
import type { Document, NodeId, Path } from "./document";
import type { NodeTypes } from "./node_type";
import type { Reason } from "./reason";

/** Something wrong with a node, or with one of its inputs. */
export interface Finding {
  readonly path: Path;
  readonly node: NodeId;
  readonly input: string | null;
  readonly reason: Reason;
}

export function checkDocument(_document: Document, _types: NodeTypes): readonly Finding[] {
  return [];
}
