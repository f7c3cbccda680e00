"""Workflows as the editor draws them, small enough to see through, and the node types of ComfyUI itself."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.graph.describe import read
from engine.graph.editor_format import to_api
from engine.graph.nodetype import NodeType

DATA = Path(__file__).parents[2] / "data"


def core_types() -> dict[str, NodeType]:
    """ComfyUI 0.3.64's core nodes."""
    specs = json.loads(gzip.decompress((DATA / "node_specs.json.gz").read_bytes()))
    return {name: read(_entry(name, spec)) for name, spec in specs.items()}


def _entry(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "input": spec["inputs"],
        "input_order": spec["input_order"],
        "output": spec["outputs"],
        "output_name": spec["output_names"],
        "output_is_list": spec["output_is_list"],
        "output_node": spec["output_node"],
    }


TYPES = core_types()


def node(node_id: int | str, node_type: str, values: object = None, **rest: Any) -> dict[str, Any]:
    """A drawn node; `wires` gives its inputs as {name: link id} or {name: (type, link id)}."""
    wires = rest.pop("wires", {})
    inputs = []
    for name, wire in wires.items():
        kind, link = wire if isinstance(wire, tuple) else ("*", wire)
        is_widget = kind in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
        inputs.append({"name": name, "type": kind, "link": link, **({"widget": {"name": name}} if is_widget else {})})
    outputs = [{"name": kind, "type": kind, "links": []} for kind in rest.pop("gives", [])]
    extra = {} if values is None else {"widgets_values": values}
    return {"id": node_id, "type": node_type, "mode": 0, "inputs": inputs, "outputs": outputs, **extra, **rest}


def link(link_id: int, origin: int, slot: int, target: int, place: int = 0) -> list[Any]:
    return [link_id, origin, slot, target, place, "*"]


def workflow(nodes: list[Any], links: list[Any], *definitions: dict[str, Any], **extra: Any) -> dict[str, Any]:
    return {
        "nodes": nodes,
        "links": links,
        "definitions": {"subgraphs": [*definitions]},
        "extra": extra,
        "version": 0.4,
    }


def inputs(drawn: Mapping[str, Any], **options: Any) -> dict[str, dict[str, Any]]:
    return {node_id: entry["inputs"] for node_id, entry in to_api(drawn, TYPES, **options).items()}


LOADER = node(1, "CheckpointLoaderSimple", ["a.ckpt"], gives=["MODEL", "CLIP", "VAE"])


def text(node_id: int, clip: int, words: str = "cat", **rest: Any) -> dict[str, Any]:
    return node(node_id, "CLIPTextEncode", [words], wires={"clip": ("CLIP", clip)}, gives=["CONDITIONING"], **rest)
