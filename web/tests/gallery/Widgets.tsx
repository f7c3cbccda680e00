/** Every kind of widget as it stands in a node, with a real document behind it, so that undo and refusals work too. */

import { emptyDocument, type InputSlot, MARKDOWN_NOTE, type Node, ROOT } from "@/graph/document";
import { newNode } from "@/graph/create";
import { isTall } from "@/graph/geometry";
import type { InputType, NodeType } from "@/graph/node_type";
import type { JsonObject, Value } from "@/graph/value";
import { isWidget, widgetsOf } from "@/graph/widgets";
import { useNodeTypes } from "@/state/node_types";
import { openTab, useTab } from "@/state/workbench";
import { kindOfWidget } from "@/widgets/kinds";
import { Widget } from "@/widgets/Widget";

function input(
  name: string,
  type: string,
  options: JsonObject = {},
  choices: readonly Value[] | null = null,
): InputType {
  return { name, type, required: true, choices, options };
}

const MODELS = [
  "v1-5.safetensors",
  "sdxl/base.safetensors",
  "sdxl/refiner.safetensors",
  "sdxl/anime/dream.safetensors",
];
const MANY = Array.from({ length: 4000 }, (_, i) => `${["flux", "sdxl", "sd15"][i % 3] ?? ""}/style ${i}.safetensors`);

const INPUTS: readonly InputType[] = [
  input("seed", "INT", { min: 0, max: 2n ** 64n - 1n, default: 18446744073709551615n, tooltip: "Where noise begins" }),
  input("steps", "INT", { min: 1, max: 10000, default: 20 }),
  input("cfg", "FLOAT", { min: 0, max: 100, step: 0.1, round: 0.01, default: 8 }),
  input("denoise", "FLOAT", { min: 0, max: 1, step: 0.01, default: 0.6 }),
  input("width", "INT", { min: 16, max: 16384, step: 8, default: 512 }),
  input("strength", "FLOAT", { min: 0, max: 2, step: 0.05, default: 1.2, display: "slider" }),
  input("sampler_name", "COMBO", {}, ["euler", "dpmpp_2m", "uni_pc", "ddim"]),
  input("ckpt_name", "COMBO", { default: "gone.safetensors" }, [...MODELS, ...MODELS.map((each) => `old/${each}`)]),
  input("lora_name", "COMBO", { control_after_generate: true }, MANY),
  input("tags", "COMBO", { multi_select: true, default: ["a", "b"] }, ["a", "b", "c", "d"]),
  input("image", "COMBO", { image_upload: true }, ["example.png", "photos/cat.png"]),
  input("add_noise", "BOOLEAN", { default: true, label_on: "enable", label_off: "disable" }),
  input("tiling", "BOOLEAN", {}),
  input("color", "COLOR", { default: "#e98d4e" }),
  input("filename_prefix", "STRING", { default: "Latentwire" }),
  input("curve", "CURVE", {
    default: [
      [0, 0],
      [1, 1],
    ],
  }),
  input("text", "STRING", {
    multiline: true,
    dynamicPrompts: true,
    default: "a {red|blue} fox in the snow,\nsoft light",
  }),
];

const TYPE: NodeType = {
  id: "Everything",
  displayName: "Everything",
  category: "test",
  description: "",
  module: "nodes",
  inputs: INPUTS,
  outputs: [],
  isOutput: false,
  isDeprecated: false,
  isExperimental: false,
  searchAliases: [],
};

const NOTE_TEXT = "## Notes\nSee [the paper](https://arxiv.org), `cfg` near **7**.\n\n* <b>not bold</b>\n* two";

/** Fills the stores; returns nothing, the components read them. */
export function prepareWidgets(): void {
  const types = new Map([[TYPE.id, TYPE]]);
  useNodeTypes.setState({ types, status: "ready" });
  const nodes = ["1", "2", "3"].map((id) => newNode(types, TYPE.id, id, { x: 0, y: 0 }));
  const note: Node = { ...newNode(types, MARKDOWN_NOTE, "4", { x: 0, y: 0 }), values: { value: NOTE_TEXT } };
  const document = emptyDocument("gallery");
  const map = new Map([...nodes, note].map((node) => [node.id, node]));
  openTab({ ...document, root: { ...document.root, nodes: map } }, "gallery");
}

function Card({
  id,
  isDisabled,
  problem,
}: {
  readonly id: string;
  readonly isDisabled: boolean;
  readonly problem: string | null;
}) {
  const node = useTab((tab) => tab.history.present.root.nodes.get(id));
  if (node === undefined || node === null) return null;
  const plain: InputSlot["type"] = "STRING";
  const inputs = id === "4" ? [input("value", plain, { multiline: true })] : widgetsOf(TYPE, node).filter(isWidget);
  return (
    <div
      role="group"
      aria-label={`Node ${id}`}
      tabIndex={-1}
      style={{
        position: "static",
        width: 300,
        padding: 8,
        border: "1px solid var(--line)",
        borderRadius: 10,
        background: "var(--surface-raised)",
        boxShadow: "var(--shadow-2)",
        pointerEvents: "all",
      }}
    >
      {inputs.map((each) => (
        <div
          key={each.name}
          style={{ height: isTall(each) ? 84 : 24, marginTop: 4 }}
          data-kind={kindOfWidget(node, each)}
        >
          <Widget
            documentId="gallery"
            graphId={ROOT}
            node={node}
            input={each}
            isDisabled={isDisabled}
            problem={problem}
          />
        </div>
      ))}
    </div>
  );
}

export function Widgets() {
  return (
    <div style={{ display: "flex", gap: 24, padding: 24, alignItems: "flex-start" }}>
      <Card id="1" isDisabled={false} problem={null} />
      <Card id="2" isDisabled problem={null} />
      <Card id="3" isDisabled={false} problem="steps: 20000 is more than 10000." />
      <Card id="4" isDisabled={false} problem={null} />
    </div>
  );
}
