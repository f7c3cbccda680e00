"""The editor's graph as it is drawn: nodes with slots, wires between them, sub-graphs with a boundary.

Reads both encodings of links (0.4: lists of six; 1: objects) into one frozen form and knows nothing of node types. What
other parts of a file say about looks (positions, groups, waypoints on wires) is left out here.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import PromptError

MUTED, BYPASSED = 2, 4
"""The two modes of a node that change what is run; all others mean it runs."""

_INPUT_NODE, _OUTPUT_NODE = "-10", "-20"  # the boundary of a sub-graph, unless the file says otherwise


@dataclass(frozen=True, slots=True)
class Slot:
    """An input of a drawn node. `is_widget`: a value typed into the node stands behind it."""

    name: str
    type: str
    link: str | None = None
    is_widget: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """A link: from an output slot of one node to a node that finds it by the link's id."""

    origin: str
    origin_slot: int
    target: str
    target_slot: int


@dataclass(frozen=True, slots=True)
class EditorNode:
    """A drawn node. `values` are its widgets' values by position, `named` by name where the file has them so.

    `outputs` are the types of its output slots. `proxies` (sub-graph instances) are the inner widgets it shows, as
    (inner node id, widget name); None where the file does not say.
    """

    id: str
    type: str
    mode: int = 0
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[str, ...] = ()
    values: tuple[Any, ...] | None = None
    named: Mapping[str, Any] | None = None
    title: str | None = None
    proxies: tuple[tuple[str, str], ...] | None = None

    def input(self, name: str) -> Slot | None:
        """The input slot of that name, or None."""
        return next((each for each in self.inputs if each.name == name), None)


@dataclass(frozen=True, slots=True)
class EditorGraph:
    """Nodes and wires by id; for a sub-graph also its boundary.

    inputs: the names of a sub-graph's inputs, in order. leaving: the wire into each of its outputs. fed: for each of
    its inputs the inner (node id, slot) it goes to, in the order of the nodes.
    """

    nodes: Mapping[str, EditorNode]
    wires: Mapping[str, Wire]
    name: str = ""
    inputs: tuple[str, ...] = ()
    leaving: Mapping[int, Wire] = field(default_factory=dict)
    fed: Mapping[int, tuple[tuple[str, Slot], ...]] = field(default_factory=dict)
    input_node: str = _INPUT_NODE

    def input_index(self, name: str) -> int | None:
        """Which of a sub-graph's inputs has that name."""
        return self.inputs.index(name) if name in self.inputs else None


@dataclass(frozen=True, slots=True)
class EditorFile:
    """A whole file: the graph on top, the sub-graphs it may use, and the group nodes of old files as they came."""

    root: EditorGraph
    definitions: Mapping[str, EditorGraph]
    groups: Mapping[str, Mapping[str, Any]]


def read_file(workflow: Mapping[str, Any]) -> EditorFile:
    """Reads a workflow in the editor's format that is already parsed JSON.

    Raises: PromptError naming the node or sub-graph whose form is wrong.
    """
    extra = workflow.get("extra")
    groups = extra.get("groupNodes") if isinstance(extra, Mapping) else None
    found = groups.items() if isinstance(groups, Mapping) else ()
    return EditorFile(
        root=read_graph(workflow, "the workflow"),
        definitions={key: read_graph(each, f"sub-graph {key!r:.80}") for key, each in _definitions(workflow)},
        groups={name: each for name, each in found if isinstance(each, Mapping)},
    )


def read_graph(source: Mapping[str, Any], where: str) -> EditorGraph:
    """Reads one graph of a file: its nodes, its wires, and its boundary when it is a sub-graph.

    Raises: PromptError saying `where` the form is wrong.
    """
    listed = source.get("nodes")
    if not isinstance(listed, list):
        raise PromptError(f"{where}: expected a list of nodes, got {type(listed).__name__}; is it an editor's file?")
    nodes: dict[str, EditorNode] = {}
    for each in listed:
        node = read_node(each, where)
        nodes.setdefault(node.id, node)
    wires = dict(_wires(source.get("links"), where))
    input_node = _boundary_id(source, "inputNode", _INPUT_NODE)
    output_node = _boundary_id(source, "outputNode", _OUTPUT_NODE)
    inputs = tuple(str(each.get("name", "")) for each in _objects(source.get("inputs")))
    return EditorGraph(
        nodes=nodes,
        wires=wires,
        name=str(source.get("name", "")),
        inputs=inputs,
        leaving={wire.target_slot: wire for wire in wires.values() if wire.target == output_node},
        fed=fed_by_inputs(nodes, wires, input_node),
        input_node=input_node,
    )


def fed_by_inputs(
    nodes: Mapping[str, EditorNode], wires: Mapping[str, Wire], input_node: str = _INPUT_NODE
) -> dict[int, tuple[tuple[str, Slot], ...]]:
    """Which inner slots each input of a sub-graph goes to."""
    found: dict[int, list[tuple[str, Slot]]] = {}
    for node in nodes.values():
        for slot in node.inputs:
            wire = wires.get(slot.link) if slot.link is not None else None
            if wire is not None and wire.origin == input_node:
                found.setdefault(wire.origin_slot, []).append((node.id, slot))
    return {index: tuple(slots) for index, slots in found.items()}


def read_node(source: object, where: str, *, id: str | None = None) -> EditorNode:
    """Reads one drawn node; `id` where the file gives it none. Raises: PromptError."""
    if not isinstance(source, Mapping):
        raise PromptError(f"{where}: a node should be an object with id and type, not {source!r:.80}")
    node_id = id if id is not None else identifier(source.get("id"))
    node_type = source.get("type")
    if node_id is None or not isinstance(node_type, str) or not node_type:
        raise PromptError(f"{where}: a node needs an id and a type; {dict(source)!r:.120} lacks one")
    mode = source.get("mode")
    values = source.get("widgets_values")
    named = source.get("widgets_values_named")
    title = source.get("title")
    return EditorNode(
        id=node_id,
        type=node_type,
        mode=mode if isinstance(mode, int) else 0,
        inputs=tuple(_slot(each) for each in _objects(source.get("inputs"))),
        outputs=tuple(_type(each.get("type")) for each in _objects(source.get("outputs"))),
        values=tuple(values) if isinstance(values, list) else None,
        named=named if isinstance(named, Mapping) else values if isinstance(values, Mapping) else None,
        title=title if isinstance(title, str) else None,
        proxies=_proxies(source.get("properties")),
    )


def identifier(value: object) -> str | None:
    """The id of a node or link as text, whichever way a file writes it; None when it is no id."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else None
    return value if isinstance(value, str) else None


def whole_number(value: object) -> int | None:
    """A slot's index, which old files may write as text; None when it is none."""
    text = identifier(value)
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None


def _definitions(workflow: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every sub-graph of a file, also those defined inside others; the first of an id counts."""
    waiting, seen = [workflow], set[str]()
    while waiting:
        definitions = waiting.pop().get("definitions")
        listed = definitions.get("subgraphs") if isinstance(definitions, Mapping) else None
        for each in _objects(listed):
            key = identifier(each.get("id"))
            if key is None or key in seen:
                continue
            seen.add(key)
            yield key, each
            waiting.append(each)


def _wires(links: object, where: str) -> Iterator[tuple[str, Wire]]:
    if links is None:
        return
    if isinstance(links, Mapping):
        links = list(links.values())
    if not isinstance(links, list):
        raise PromptError(f"{where}: links should be a list, not {type(links).__name__}")
    for each in links:
        if isinstance(each, Mapping):
            each = [each.get(key) for key in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
        if not isinstance(each, list) or len(each) < 5:
            continue  # deleted links leave a null behind
        link, origin, target = (identifier(each[place]) for place in (0, 1, 3))
        origin_slot, target_slot = whole_number(each[2]), whole_number(each[4])
        if link is not None and origin is not None and origin_slot is not None:
            yield link, Wire(origin, origin_slot, target or "", -1 if target_slot is None else target_slot)


def _objects(value: object) -> list[Mapping[str, Any]]:
    """The entries of a list, each an object: others keep their place, because slots are counted."""
    return [each if isinstance(each, Mapping) else {} for each in value] if isinstance(value, list) else []


def _slot(source: Mapping[str, Any]) -> Slot:
    name = source.get("name")
    return Slot(
        name=name if isinstance(name, str) else "",
        type=_type(source.get("type")),
        link=identifier(source.get("link")),
        is_widget=bool(source.get("widget")),
    )


def _type(value: object) -> str:
    if isinstance(value, str):
        return value
    return "COMBO" if isinstance(value, list) else "*"  # the oldest files write a combo's choices; 0 means any


def _proxies(properties: object) -> tuple[tuple[str, str], ...] | None:
    listed = properties.get("proxyWidgets") if isinstance(properties, Mapping) else None
    if not isinstance(listed, list):
        return None
    pairs = [each if isinstance(each, list) and len(each) >= 2 else ["", ""] for each in listed]
    return tuple((identifier(each[0]) or "", str(each[1])) for each in pairs)


def _boundary_id(source: Mapping[str, Any], key: str, default: str) -> str:
    node = source.get(key)
    found = identifier(node.get("id")) if isinstance(node, Mapping) else None
    return default if found is None else found
