/** What a node dragged from the catalogue onto the canvas carries: its type's id, under this name. */
export const DRAGGED_NODE = "application/x-latentwire-node";
