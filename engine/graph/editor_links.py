"""Where the value of a drawn input comes from: through reroutes, primitives, bypassed nodes and sub-graph boundaries.

A `Scope` is a graph at the place where it stands: the root, or one instance of a sub-graph. `Tracer.trace` follows the
wire behind an input to a node that runs, to a literal, or to nothing. Rules: workflow_formats.md, sections 5 and 6.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import PromptError
from engine.graph.editor_graph import BYPASSED, MUTED, EditorFile, EditorGraph, EditorNode, Slot
from engine.graph.editor_groups import group_name, ungroup
from engine.graph.editor_widgets import as_literal, is_control, widget_values
from engine.graph.nodetype import NodeType
from engine.graph.prompt import MAX_NESTING, MAX_NODES

Lookup = Callable[[str], NodeType | None]

REROUTES = frozenset({"Reroute"})
PRIMITIVE = "PrimitiveNode"
NOTES = frozenset({"Note", "MarkdownNote"})

# Kinds some plugins draw and never run; they count only where no node type of that name is known.
PLUGIN_REROUTES = frozenset({"Reroute (rgthree)"})
SETTERS = frozenset({"SetNode", "easy setNode"})
GETTERS = frozenset({"GetNode", "easy getNode"})
PLUGIN_NOTES = frozenset(
    {
        "Label (rgthree)",
        "Bookmark (rgthree)",
        "Fast Groups Muter (rgthree)",
        "Fast Groups Bypasser (rgthree)",
        "Fast Muter (rgthree)",
        "Fast Bypasser (rgthree)",
        "Mute / Bypass Relay (rgthree)",
        "Mute / Bypass Repeater (rgthree)",
        "Fast Actions Button (rgthree)",
        "Node Collector (rgthree)",
    }
)
PLUGIN_VIRTUAL = PLUGIN_REROUTES | SETTERS | GETTERS | PLUGIN_NOTES


@dataclass(frozen=True, slots=True)
class Reference:
    """An output of a node that runs, by the id it has there."""

    node: str
    slot: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that someone typed."""

    value: Any


Source = Reference | Literal | None


@dataclass(frozen=True, eq=False, slots=True)
class Scope:
    """A graph where it stands. `prefix` goes before its nodes' ids; `node` is the instance it stands for in `outer`."""

    graph: EditorGraph
    prefix: str = ""
    depth: int = 0
    node: EditorNode | None = None
    outer: "Scope | None" = None
    kinds: frozenset[str] = frozenset()

    def id(self, node_id: str) -> str:
        """The id a node of this graph has in the prompt."""
        return self.prefix + node_id


@dataclass(frozen=True, slots=True)
class _At:
    """A place on the way: an input slot of a node, and the type the one who asked can use."""

    scope: Scope
    node: EditorNode
    slot: Slot
    wanted: str


class Tracer:
    """Follows wires through a whole file."""

    def __init__(self, file: EditorFile, lookup: Lookup) -> None:
        self._file = file
        self._lookup = lookup
        self._inside: dict[tuple[str, str], Scope] = {}
        self._answers: dict[tuple[str, str, str | None, str], Source] = {}
        self.root = Scope(file.root)

    def is_virtual(self, node: EditorNode) -> bool:
        """Whether a node is only drawn and never runs."""
        if node.type in REROUTES or node.type in NOTES or node.type == PRIMITIVE:
            return True
        return node.type in PLUGIN_VIRTUAL and self._lookup(node.type) is None

    def inside(self, scope: Scope, node: EditorNode) -> Scope | None:
        """The graph a sub-graph instance or a group node stands for; None for ordinary nodes.

        Raises: PromptError when sub-graphs contain themselves or there are too many.
        """
        is_group = group_name(node.type) in self._file.groups
        if not is_group and node.type not in self._file.definitions:
            return None
        key = (scope.prefix, node.id)
        if key not in self._inside:
            self._inside[key] = self._enter(scope, node, is_group)
        return self._inside[key]

    def _enter(self, scope: Scope, node: EditorNode, is_group: bool) -> Scope:
        name = f"sub-graph {node.type!r:.80} (node {scope.id(node.id)[:80]})"
        if node.type in scope.kinds:
            raise PromptError(f"{name} contains itself; take one of the two out in the editor")
        if scope.depth >= MAX_NESTING or len(self._inside) >= MAX_NODES:
            raise PromptError(f"{name}: more than {MAX_NESTING} sub-graphs deep or {MAX_NODES:,} of them; use fewer")
        graph = self._file.definitions.get(node.type)
        if graph is None or is_group:
            graph = ungroup(node, self._file.groups[group_name(node.type)], self._lookup)
            node = replace(node, values=None)  # they are with the inner nodes now
        return Scope(graph, f"{scope.id(node.id)}:", scope.depth + 1, node, scope, scope.kinds | {node.type})

    def trace(self, scope: Scope, node: EditorNode, slot: Slot) -> Source:
        """What feeds an input slot of a node: a node that runs, a literal, or None (nothing, or a dead end)."""
        at: _At | Source = _At(scope, node, slot, slot.type)
        way: list[tuple[str, str, str | None, str]] = []
        while isinstance(at, _At):
            place = (at.scope.prefix, at.node.id, at.slot.link, at.wanted)
            if place in self._answers:
                at = self._answers[place]
                break
            self._answers[place] = None  # what is met again on the same way is a ring, and leads nowhere
            way.append(place)
            at = self._step(at)
        # Everything on the way has the same answer, so long rows of reroutes are walked once.
        self._answers.update(dict.fromkeys(way, at))
        return at

    def _step(self, at: _At) -> _At | Source:
        """From an input, over one wire, to the input that decides next or to the answer."""
        wire = at.scope.graph.wires.get(at.slot.link) if at.slot.link is not None else None
        scope = at.scope
        while wire is not None:
            if scope.outer is not None and wire.origin == scope.graph.input_node:
                return self._leave(scope, wire.origin_slot)
            node = scope.graph.nodes.get(wire.origin)
            if node is None:
                return None
            if node.mode == BYPASSED:
                chosen = _through_bypassed(node, wire.origin_slot, at.wanted)
                return None if chosen is None else _At(scope, node, chosen, chosen.type)
            inside = self.inside(scope, node)
            if inside is None:
                return self._out_of(scope, node, wire.origin_slot, at.wanted)
            if node.mode == MUTED:
                return None
            scope, wire = inside, inside.graph.leaving.get(wire.origin_slot)
        return None

    def _out_of(self, scope: Scope, node: EditorNode, index: int, wanted: str) -> _At | Source:
        if not self.is_virtual(node):
            return Reference(scope.id(node.id), index)
        if node.type == PRIMITIVE:
            return Literal(as_literal(node.values[0])) if node.values else None
        if node.type in GETTERS:
            return self._set_elsewhere(scope, node, wanted)
        # A setter passes on what it was given, like a reroute.
        index = index if index < len(node.inputs) else 0
        return _At(scope, node, node.inputs[index], wanted) if node.inputs else None

    def _set_elsewhere(self, scope: Scope, getter: EditorNode, wanted: str) -> _At | None:
        """The setter with the getter's name, in its own graph first, then in those around it."""
        around: Scope | None = scope
        while around is not None and getter.values:
            for node in around.graph.nodes.values():
                if node.type in SETTERS and node.values and node.values[0] == getter.values[0] and node.inputs:
                    return _At(around, node, node.inputs[0], wanted)
            around = around.outer
        return None

    def _leave(self, scope: Scope, index: int) -> _At | Source:
        """From the boundary of a sub-graph to what its instance is given there."""
        instance, outer, inputs = scope.node, scope.outer, scope.graph.inputs
        if instance is None or outer is None or index >= len(inputs):
            return None
        slot = _slot_of(instance, inputs, index)
        if slot is not None and slot.link is not None and slot.link in outer.graph.wires:
            return _At(outer, instance, slot, slot.type)
        return self._typed_in(scope, index)

    def _typed_in(self, scope: Scope, index: int) -> Literal | None:
        """The value a sub-graph's input has when nothing is wired to it: the instance's, else the first inner one."""
        inner: Scope | None = scope
        while inner is not None and inner.node is not None and index < len(inner.graph.inputs):
            name = inner.graph.inputs[index]
            promoted = promoted_values(inner.node, inner.graph)
            if name in promoted:
                return Literal(as_literal(promoted[name]))
            fed = next((each for each in inner.graph.fed.get(index, ()) if each[1].is_widget), None)
            if fed is None:
                return None
            node, slot = inner.graph.nodes[fed[0]], fed[1]
            below = self.inside(inner, node)
            if below is None:
                values = widget_values(node, self._lookup(node.type)).values
                return Literal(values[slot.name]) if slot.name in values else None
            position = below.graph.input_index(slot.name)
            inner, index = below, -1 if position is None else position
            if index < 0:
                return None
        return None


def promoted_values(instance: EditorNode, graph: EditorGraph) -> Mapping[str, Any]:
    """The values an instance holds for its sub-graph's inputs, by their names; four encodings are in use."""
    if instance.named is not None:
        return instance.named
    row = instance.values or ()
    if instance.proxies is not None:
        own = [name for inner, name in instance.proxies if inner == "-1"]
        if len(row) == len(instance.proxies):
            pairs = zip(instance.proxies, row, strict=True)
            return {name: value for (inner, name), value in pairs if inner == "-1"}
        return dict(zip(own, row, strict=True)) if len(row) == len(own) else {}
    found: dict[str, Any] = {}
    place = 0
    for index, name in enumerate(graph.inputs):
        if place < len(row) and any(slot.is_widget for _, slot in graph.fed.get(index, ())):
            found[name] = row[place]
            # What happens to a seed after a run is stored behind it, here too.
            place += 2 if place + 1 < len(row) and is_control(row[place + 1]) else 1
    return found


def are_compatible(one: str, other: str) -> bool:
    """Whether two slots' types can be joined: alike but for case, either any, or one alternative in common."""
    left, right = one.strip().lower(), other.strip().lower()
    if left in ("", "*") or right in ("", "*") or left == right:
        return True
    return bool({each.strip() for each in left.split(",")} & {each.strip() for each in right.split(",")})


def _through_bypassed(node: EditorNode, index: int, wanted: str) -> Slot | None:
    """Which input a bypassed node hands on at an output."""
    inputs = node.inputs
    if not inputs:
        return None
    if wanted in ("", "*"):
        return inputs[index] if index < len(inputs) else inputs[0]
    given = node.outputs[index] if index < len(node.outputs) else "*"
    if index < len(inputs) and _suits(inputs[index], given, wanted):
        return inputs[index]
    exact = next((each for each in inputs if each.type == wanted), None)
    return exact or next((each for each in inputs if _suits(each, given, wanted)), None)


def _suits(slot: Slot, given: str, wanted: str) -> bool:
    return are_compatible(slot.type, given) and are_compatible(slot.type, wanted)


def _slot_of(instance: EditorNode, inputs: Sequence[str], index: int) -> Slot | None:
    """The instance's slot for an input of its sub-graph: by name, because people reorder them, else by place."""
    named = instance.input(inputs[index])
    if named is not None or index >= len(instance.inputs):
        return named
    placed = instance.inputs[index]
    return None if placed.name in inputs else placed
