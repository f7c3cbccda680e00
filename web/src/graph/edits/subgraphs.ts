/** Everything that is done with sub-graphs, in one place to import from. */

export { addInstance, renameGraph } from "./nodes";
export { pack, type Packed } from "./pack";
export {
  addPort,
  countInstances,
  demote,
  makeUnique,
  movePort,
  promote,
  removePort,
  renamePort,
  type Side,
} from "./ports";
export { unpack, type Unpacked } from "./unpack";
