"""What needs what in a prompt: which nodes the outputs need, where no order can be found, and what a fault spoils."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.graph import dynamic
from engine.graph.nodetype import NodeType
from engine.graph.problem import Problem, short
from engine.graph.prompt import Link, Node, Prompt
from engine.graph.registry import Registry

if TYPE_CHECKING:
    import networkx as nx

MAX_TRACED_OUTPUTS = 100  # failed outputs that are traced to their causes
MAX_NAMED_NODES = 20

Sources = dict[str, list[str]]
"""For each node that is needed, the nodes it takes values from."""


def needed(prompt: Prompt, registry: Registry, outputs: Iterable[str]) -> Sources:
    """The outputs and everything they take values from, through declared inputs and to nodes that are there."""
    known: dict[str, _Names] = {}
    sources: Sources = {}
    stack = list(outputs)
    while stack:
        node_id = stack.pop()
        if node_id in sources:
            continue
        node = prompt[node_id]
        if node.class_type not in known:
            known[node.class_type] = _Names.of(registry.get(node.class_type))
        declared = known[node.class_type].at(node)
        found = {link.node: None for name, link in node.links() if name in declared and link.node in prompt}
        sources[node_id] = list(found)
        stack.extend(found)
    return sources


@dataclass(frozen=True, slots=True)
class _Names:
    """The inputs of a node type; `dynamic` is that type where only the prompt says which they are.

    `takes_others`: it takes those too that it does not declare.
    """

    declared: frozenset[str]
    dynamic: NodeType | None
    takes_others: bool = False

    @classmethod
    def of(cls, node_type: NodeType | None) -> "_Names":
        if node_type is None:
            return cls(frozenset(), None)
        settled_later = node_type if dynamic.is_dynamic(node_type) else None
        return cls(_names(node_type), settled_later, node_type.others is not None)

    def at(self, node: Node) -> Collection[str]:
        if self.takes_others:
            return node.inputs.keys()
        return self.declared if self.dynamic is None else _names(dynamic.settle(self.dynamic, node.inputs)[0])


def _names(node_type: NodeType) -> frozenset[str]:
    return frozenset(each.name for each in node_type.inputs)


def unordered(sources: Sources) -> set[str]:
    """The nodes that no order can be found for: those in cycles, and those that need them."""
    consumers = _consumers(sources)
    missing = {node_id: len(above) for node_id, above in sources.items()}
    ready = [node_id for node_id, count in missing.items() if not count]
    while ready:
        node_id = ready.pop()
        del missing[node_id]
        for consumer in consumers.get(node_id, ()):
            missing[consumer] -= 1
            if not missing[consumer]:
                ready.append(consumer)
    return set(missing)


def cycles(prompt: Prompt, sources: Sources, within: Collection[str]) -> list[Problem]:
    """One problem for each knot of nodes that wait for each other, naming one circle in it."""
    if not within:
        return []
    import networkx as nx  # here, because prompts with cycles are rare and everybody would wait for it at the start

    # In the prompt's order throughout, so that the same prompt gets the same message.
    order = {node_id: index for index, node_id in enumerate(prompt)}
    graph = nx.DiGraph()
    for node_id in sorted(within, key=order.__getitem__):
        graph.add_edges_from((above, node_id) for above in sources[node_id] if above in within)
    circles = []
    for knot in nx.strongly_connected_components(graph):
        first = min(knot, key=order.__getitem__)
        if len(knot) > 1 or graph.has_edge(first, first):
            circles.append(_circle(graph.subgraph(knot), first))
    return [_cycle(prompt, circle) for circle in sorted(circles, key=lambda circle: order[circle[0]])]


def downstream(sources: Sources, bad: Iterable[str]) -> set[str]:
    """The bad nodes and everything that needs one of them."""
    consumers = _consumers(sources)
    found: set[str] = set()
    stack = list(bad)
    while stack:
        node_id = stack.pop()
        if node_id not in found:
            found.add(node_id)
            stack.extend(consumers.get(node_id, ()))
    return found


def causes(sources: Sources, failed: Sequence[str], bad: Collection[str]) -> dict[str, list[str]]:
    """For each bad node the failed outputs that need it."""
    result: dict[str, list[str]] = {}
    for output in failed[:MAX_TRACED_OUTPUTS]:
        seen = {output}
        stack = [output]
        while stack:
            node_id = stack.pop()
            if node_id in bad:
                result.setdefault(node_id, []).append(output)
            new = [above for above in sources[node_id] if above not in seen]
            seen.update(new)
            stack.extend(new)
    return result


def _circle(knot: "nx.DiGraph", first: str) -> list[str]:
    """The shortest way round through `first`."""
    import networkx as nx

    came_from: dict[str, str | None] = {first: None, **dict(nx.bfs_predecessors(knot, first))}
    ends = set(knot.predecessors(first))
    node_id: str | None = next(each for each in came_from if each in ends)  # in the order of their distance
    path = []
    while node_id is not None:
        path.append(node_id)
        node_id = came_from[node_id]
    return path[::-1]


def _consumers(sources: Sources) -> dict[str, list[str]]:
    consumers: dict[str, list[str]] = {}
    for node_id, above in sources.items():
        for each in above:
            consumers.setdefault(each, []).append(node_id)
    return consumers


def _cycle(prompt: Prompt, circle: list[str]) -> Problem:
    first = circle[0]
    names = [f"{short(node_id)} ({short(prompt[node_id].class_type)})" for node_id in circle]
    if len(names) > MAX_NAMED_NODES:
        half = MAX_NAMED_NODES // 2
        names[half:-half] = [f"… {len(names) - 2 * half} more …"]
    closing = next((name for name, value in prompt[first].inputs.items() if _leads_to(value, circle[-1])), None)
    named = {} if closing is None else {"input_name": closing}
    return Problem(
        node=first,
        class_type=prompt[first].class_type,
        input=closing,
        kind="dependency_cycle",
        message="Dependency cycle detected",
        details=" -> ".join([*names, short(first)]),
        remedy="Remove one of the links between these nodes; a node cannot wait for its own result.",
        extra_info={"node_id": first, "cycle_nodes": circle[:100], **named},
    )


def _leads_to(value: object, node_id: str) -> bool:
    return isinstance(value, Link) and value.node == node_id
