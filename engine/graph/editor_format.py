"""The editor's workflow files become the API format: what is drawn becomes what runs.

    prompt = to_api(workflow, registry)

Notes, reroutes, primitives and sub-graph boxes are drawn only; muted and bypassed nodes do not run. What is left is
emitted with its widgets' values by name and its wires traced to nodes that run. The parts: editor_graph reads the file,
editor_widgets names values, editor_links traces wires, editor_groups opens the group nodes of old files.
Source: workflow_formats.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from engine.errors import PromptError
from engine.graph.editor_graph import BYPASSED, MUTED, EditorNode, read_file
from engine.graph.editor_links import Literal, Lookup, Reference, Scope, Tracer
from engine.graph.editor_widgets import widget_values
from engine.graph.nodetype import NodeType
from engine.graph.prompt import MAX_NODES


class NodeTypes(Protocol):
    """Node types by id, as a Registry or a dict has them."""

    def get(self, node_id: str, /) -> NodeType | None:
        """The node type of that id, or None."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A prompt in API JSON, and what a person should know about how it came to be."""

    prompt: dict[str, Any]
    notes: tuple[str, ...] = ()


def is_editor_format(source: object) -> bool:
    """Whether parsed JSON looks like a file of the editor and not like a prompt."""
    return isinstance(source, Mapping) and isinstance(source.get("nodes"), list)


def to_api(
    workflow: Mapping[str, Any],
    types: NodeTypes | Lookup,
    *,
    prune: bool = False,
    targets: Iterable[str] | None = None,
) -> dict[str, Any]:
    """The prompt a workflow of the editor stands for, in API JSON; see `convert`."""
    return convert(workflow, types, prune=prune, targets=targets).prompt


def convert(
    workflow: Mapping[str, Any],
    types: NodeTypes | Lookup,
    *,
    prune: bool = False,
    targets: Iterable[str] | None = None,
) -> Converted:
    """The prompt a workflow of the editor stands for, with notes about nodes of unknown types.

    Inner nodes of sub-graphs get ids such as "57:8". prune: keep only what output nodes need. targets: keep only what
    these nodes need.
    Raises: PromptError when the file has another form, or sub-graphs contain themselves.
    """
    lookup: Lookup = types if callable(types) else types.get
    tracer = Tracer(read_file(workflow), lookup)
    prompt: dict[str, Any] = {}
    notes: list[str] = []
    for scope, node in _running(tracer):
        if len(prompt) >= MAX_NODES:
            raise PromptError(f"the workflow has more than {MAX_NODES:,} nodes; split it")
        node_id, node_type = scope.id(node.id), lookup(node.type)
        widgets = widget_values(node, node_type)
        notes.extend(_unknown(node_id, node, node_type, widgets.is_known))
        inputs = {**widgets.values, **dict(_wired(tracer, scope, node))}
        title = node.title or (node_type.display_name if node_type else "") or node.type
        prompt[node_id] = {"class_type": node.type, "inputs": inputs, "_meta": {"title": title}}
    _settle_links(prompt)
    wanted = _outputs(prompt, lookup) if targets is None and prune else [*(targets or ())]
    if wanted:
        kept = ancestors(prompt, wanted)
        prompt = {node_id: entry for node_id, entry in prompt.items() if node_id in kept}
    return Converted(prompt, tuple(notes))


def ancestors(prompt: Mapping[str, Any], targets: Iterable[str]) -> set[str]:
    """The ids of these nodes and of every node they need, directly or not."""
    waiting, found = [*targets], set[str]()
    while waiting:
        node_id = waiting.pop()
        if node_id in prompt and node_id not in found:
            found.add(node_id)
            values = prompt[node_id]["inputs"].values()
            waiting.extend(value[0] for value in values if isinstance(value, list) and len(value) == 2)
    return found


def _running(tracer: Tracer) -> Iterator[tuple[Scope, EditorNode]]:
    """Every node that runs, with the scope it stands in; the inner ones where their sub-graph's box is."""
    waiting = [(tracer.root, iter(tracer.root.graph.nodes.values()))]
    while waiting:
        scope, nodes = waiting[-1]
        node = next(nodes, None)
        if node is None:
            waiting.pop()
            continue
        if node.mode in (MUTED, BYPASSED) or tracer.is_virtual(node):
            continue
        inside = tracer.inside(scope, node)
        if inside is None:
            yield scope, node
        else:
            waiting.append((inside, iter(inside.graph.nodes.values())))


def _wired(tracer: Tracer, scope: Scope, node: EditorNode) -> Iterator[tuple[str, Any]]:
    """What wires bring to a node, by input: a Reference to be settled, or a literal."""
    for slot in node.inputs:
        if slot.link is None or not slot.name:
            continue
        source = tracer.trace(scope, node, slot)
        if isinstance(source, Reference):
            yield slot.name, source
        elif isinstance(source, Literal):
            yield slot.name, source.value


def _settle_links(prompt: dict[str, Any]) -> None:
    """Writes references as links, and drops the inputs that refer to muted nodes."""
    for entry in prompt.values():
        inputs: dict[str, Any] = {}
        for name, value in entry["inputs"].items():
            if not isinstance(value, Reference):
                inputs[name] = value
            elif value.node in prompt:
                inputs[name] = [value.node, value.slot]
        entry["inputs"] = inputs


def _outputs(prompt: Mapping[str, Any], lookup: Callable[[str], NodeType | None]) -> list[str]:
    types = ((node_id, lookup(entry["class_type"])) for node_id, entry in prompt.items())
    return [node_id for node_id, node_type in types if node_type is not None and node_type.is_output]


def _unknown(node_id: str, node: EditorNode, node_type: NodeType | None, is_known: bool) -> Iterator[str]:
    if node_type is not None:
        return
    lost = "" if is_known else f"; its {len(node.values or ())} widget values have no names and were left out"
    yield f"node {node_id}: unknown type {node.type!r:.100}, perhaps of a plugin{lost}"
