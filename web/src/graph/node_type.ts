/**
 * All anyone may know about a kind of node, made from an entry of /object_info.
 *
 * Types of sockets are names; "INT,FLOAT" is either of the two and "*" anything (for drawing; the server has the last
 * word).
 */

import type { JsonObject, Value } from "./value";

export interface InputType {
  readonly name: string;
  /** "MODEL", "INT", "COMBO" … An old combo's list of choices is "COMBO" here, with `choices`. */
  readonly type: string;
  readonly required: boolean;
  /** What may be chosen, for combos; null for others. Dynamic combos keep their options in `options.options`. */
  readonly choices: readonly Value[] | null;
  /** default, min, max, step, round, display, multiline, tooltip, control_after_generate, image_upload … as told. */
  readonly options: JsonObject;
}

export interface OutputType {
  readonly name: string;
  readonly type: string;
  readonly isList: boolean;
  readonly tooltip: string;
}

export interface NodeType {
  readonly id: string;
  readonly displayName: string;
  readonly category: string;
  readonly description: string;
  /** "nodes", "custom_nodes.folder" … where it comes from. */
  readonly module: string;
  /** Required inputs in their order, then optional ones: the order of widgets in files. */
  readonly inputs: readonly InputType[];
  readonly outputs: readonly OutputType[];
  readonly isOutput: boolean;
  readonly isDeprecated: boolean;
  readonly isExperimental: boolean;
  readonly searchAliases: readonly string[];
}

export type NodeTypes = ReadonlyMap<string, NodeType>;
