"""Group nodes of old files (before sub-graphs), turned into the sub-graph they stand for.

Such a node's inputs, widgets and outputs are those of its inner nodes, one inner node after the other, without those
joined inside. Rules: workflow_formats.md, section 7.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import PromptError
from engine.graph.editor_graph import EditorGraph, EditorNode, Slot, Wire, fed_by_inputs, read_node, whole_number
from engine.graph.editor_widgets import group_values
from engine.graph.nodetype import NodeType

_IN, _OUT = "-10", "-20"
_PREFIX = re.compile(r"workflow[/>](?P<name>.+)", re.DOTALL)


def group_name(node_type: str) -> str:
    """The group a node's type names ("workflow/NAME"); empty when it names none."""
    found = _PREFIX.fullmatch(node_type)
    return found["name"] if found else ""


def ungroup(instance: EditorNode, group: Mapping[str, Any], lookup: Callable[[str], NodeType | None]) -> EditorGraph:
    """The graph behind one group node, its inner widgets holding the values this instance has.

    Raises: PromptError when the group's definition has another form.
    """
    where = f"group node {instance.type!r:.80}"
    listed, links = group.get("nodes"), group.get("links")
    if not isinstance(listed, list) or not isinstance(links, list | None):
        raise PromptError(f"{where}: its definition should hold lists of nodes and links; save it again in the editor")
    config = group.get("config")
    drawing = _Drawing(
        nodes=[read_node(each, where, id=str(index)) for index, each in enumerate(listed)],
        links=dict(_inner_links(links or [])),
        types=dict(_outer_types(links or [])),
        config=config if isinstance(config, Mapping) else {},
    )
    nodes = drawing.with_values(instance, lookup)
    inputs, outer_wires, nodes = drawing.bounded(nodes, instance)
    wires = {link: wire for _, (link, wire) in drawing.links.items()} | outer_wires
    by_id = {node.id: node for node in nodes}
    leaving = drawing.leaving(_external(group.get("external")))
    return EditorGraph(by_id, wires, instance.type, inputs, leaving, fed_by_inputs(by_id, wires, _IN), _IN)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A group's definition: nodes; links by the (node, slot) they reach; types of wires from outside; looks."""

    nodes: Sequence[EditorNode]
    links: Mapping[tuple[int, int], tuple[str, Wire]]
    types: Mapping[tuple[int, int], str]
    config: Mapping[str, Any] = field(default_factory=dict)

    def with_values(self, instance: EditorNode, lookup: Callable[[str], NodeType | None]) -> list[EditorNode]:
        """The inner nodes with the instance's values: its row runs through them one after the other."""
        if instance.values is None:
            return [*self.nodes]
        joined = [
            {slot.name for place, slot in enumerate(node.inputs) if (index, place) in self.links}
            for index, node in enumerate(self.nodes)
        ]
        types = [lookup(node.type) for node in self.nodes]
        return group_values(self.nodes, types, joined, instance.values)

    def bounded(
        self, nodes: Sequence[EditorNode], instance: EditorNode
    ) -> tuple[tuple[str, ...], dict[str, Wire], list[EditorNode]]:
        """The group's inputs, the wires from them, and the nodes with slots on those wires and on the inner links."""
        names: list[str] = []
        wires: dict[str, Wire] = {}
        drawn: list[EditorNode] = []
        for index, node in enumerate(nodes):
            slots: list[Slot] = []
            for place, slot in enumerate(node.inputs):
                link = None
                if (index, place) in self.links:
                    link = self.links[index, place][0]
                elif (name := self._input_name(index, place, slot, names, instance)) is not None:
                    link = f"in{len(names)}"
                    wires[link] = Wire(_IN, len(names), node.id, place)
                    names.append(name)
                slots.append(replace(slot, link=link))
            drawn.append(replace(node, inputs=tuple(slots)))
        return tuple(names), wires, drawn

    def _input_name(self, index: int, place: int, slot: Slot, taken: Sequence[str], instance: EditorNode) -> str | None:
        """What the group calls an inner input; None where it does not show it."""
        own = slot.name or self.types.get((index, place), "")  # a reroute's slot has no name of its own
        looks = self._looks(index, "input", own)
        if looks.get("visible") is False and not slot.is_widget:
            return None
        name = str(looks.get("name") or own)
        if name in taken:
            name = f"{self.nodes[index].title or self.nodes[index].type} {own}"
        # Widgets are shown as widgets, whose values are in place already, unless someone made them inputs again.
        return None if slot.is_widget and instance.input(name) is None else name

    def leaving(self, external: set[tuple[int, int]]) -> dict[int, Wire]:
        """The group's outputs: those no inner node takes, and those the file lists as needed outside too."""
        used = {(int(wire.origin), wire.origin_slot) for _, wire in self.links.values()}
        found: dict[int, Wire] = {}
        for index, node in enumerate(self.nodes):
            for place in range(len(node.outputs)):
                is_hidden = self._looks(index, "output", str(place)).get("visible") is False
                if not is_hidden and ((index, place) not in used or (index, place) in external):
                    found[len(found)] = Wire(node.id, place, _OUT, len(found))
        return found

    def _looks(self, index: int, side: str, name: str) -> Mapping[str, Any]:
        found: Any = self.config
        for key in (str(index), side, name):
            found = found.get(key) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}


def _inner_links(links: Sequence[Any]) -> Iterator[tuple[tuple[int, int], tuple[str, Wire]]]:
    for each in links:
        origin, slot, target, place = _numbers(each)
        if origin is not None and slot is not None and target is not None and place is not None:
            yield (target, place), (f"{target}.{place}", Wire(str(origin), slot, str(target), place))


def _outer_types(links: Sequence[Any]) -> Iterator[tuple[tuple[int, int], str]]:
    for each in links:
        origin, _, target, place = _numbers(each)
        if origin is None and target is not None and place is not None and len(each) > 5 and isinstance(each[5], str):
            yield (target, place), each[5]


def _external(entries: object) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for each in entries if isinstance(entries, list) else ():
        if isinstance(each, list) and len(each) >= 2:
            node = each[0].get("index") if isinstance(each[0], Mapping) else each[0]  # some files repeat the node
            index, slot = whole_number(node), whole_number(each[1])
            if index is not None and slot is not None:
                found.add((index, slot))
    return found


def _numbers(link: object) -> tuple[int | None, int | None, int | None, int | None]:
    if not isinstance(link, list) or len(link) < 4:
        return None, None, None, None
    return whole_number(link[0]), whole_number(link[1]), whole_number(link[2]), whole_number(link[3])
