/** What reading a file had to mend or leave out, counted, so that people are told once and not a hundred times. */

import { type Reason, reason } from "@/graph/reason";

const MOST_NAMES = 8;

export class RepairNotes {
  oddNodes = 0;
  sharedIds = 0;
  deadLinks = 0;
  sharedLinks = 0;
  oddSubgraphs = 0;
  oddPlaces = 0;
  readonly unknownTypes = new Map<string, number>();

  unknownType(type: string): void {
    this.unknownTypes.set(type, (this.unknownTypes.get(type) ?? 0) + 1);
  }

  reasons(): Reason[] {
    const counted = [
      ["reason.file_mended_nodes", this.oddNodes],
      ["reason.file_mended_node_ids", this.sharedIds],
      ["reason.file_mended_links", this.deadLinks],
      ["reason.file_mended_shared_links", this.sharedLinks],
      ["reason.file_mended_subgraphs", this.oddSubgraphs],
      ["reason.file_mended_places", this.oddPlaces],
    ] as const;
    const mended = counted.filter(([, count]) => count > 0).map(([code, count]) => reason(code, { count }));
    return [...this.unknown(), ...mended];
  }

  private unknown(): Reason[] {
    const { size } = this.unknownTypes;
    if (size === 0) return [];
    const names = [...this.unknownTypes.keys()].slice(0, MOST_NAMES).join(", ");
    return [reason("reason.file_unknown_types", { types: size > MOST_NAMES ? `${names} …` : names, count: size })];
  }
}
