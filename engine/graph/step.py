"""One node of a prompt joined with its node type: what is constant, what comes over a wire, what only if asked for."""

import inspect
from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from engine.errors import PromptError
from engine.graph import dynamic
from engine.graph.nodetype import FILLED_IN, Input, NodeType
from engine.graph.prompt import BrokenLink, Link, Node


class BadNode(PromptError):
    """A node that cannot even be looked at; validation would have named it too."""

    def __init__(self, message: str, node_id: str, class_type: str = "") -> None:
        super().__init__(message)
        self.node_id = node_id
        self.class_type = class_type


class NodeTypes(Protocol):
    """Where node types are found by id: a Registry, or in a test a dict."""

    def get(self, node_id: str, /) -> NodeType | None:
        """The node type of that id, or None."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What the executor asks a node type again and again, looked up once."""

    type: NodeType
    names: frozenset[str]
    lazy: frozenset[str]
    raw: frozenset[str]
    is_async: bool
    is_personal: bool
    """Whether its results belong to one node and not to every node of the same kind with the same inputs."""
    is_dynamic: bool = False
    """Whether only the prompt says which inputs a node of this kind has."""
    others: Input | None = None
    """What inputs are like that it does not declare; None, when it takes none."""
    spare: frozenset[str] = frozenset()
    """Hidden inputs that nobody fills in but, perhaps, the prompt."""

    @classmethod
    def of(cls, node_type: NodeType) -> "Traits":
        """The traits of a node type."""
        # An author who marks an input lazy but never says when it is needed gets it always.
        lazy = (each.name for each in node_type.inputs if each.is_lazy and node_type.check_lazy is not None)
        return cls(
            type=node_type,
            names=frozenset(each.name for each in node_type.inputs),
            lazy=frozenset(lazy),
            raw=frozenset(each.name for each in node_type.inputs if each.is_raw_link),
            is_async=inspect.iscoroutinefunction(node_type.function),
            is_personal=node_type.not_idempotent or "UNIQUE_ID" in node_type.hidden.values(),
            is_dynamic=dynamic.is_dynamic(node_type),
            others=node_type.others,
            spare=frozenset(name for name, kind in node_type.hidden.items() if kind not in FILLED_IN),
        )

    def handles(self, name: str) -> tuple[bool, bool]:
        """Whether an input is handed over as a link, and whether it waits until it is asked for."""
        if name in self.names or self.others is None:
            return name in self.raw, name in self.lazy
        return self.others.is_raw_link, self.others.is_lazy and self.type.check_lazy is not None

    def settled(self, node: Node) -> "Traits":
        """The traits of this very node."""
        return Traits.of(dynamic.settle(self.type, node.inputs)[0]) if self.is_dynamic else self


@dataclass(frozen=True, slots=True)
class Step:
    """A node and its kind, with its inputs sorted by how they are got. Inputs its type does not declare are left out.

    `links` carry values; `raw` links are handed over as [node id, slot] and are among the `constants` too. `waits` are
    the nodes it needs before it can start, `sources` all it may ever need.
    """

    node: Node
    traits: Traits
    constants: dict[str, Any]
    links: dict[str, Link]
    raw: dict[str, Link]
    waits: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def id(self) -> str:
        """The node's id."""
        return self.node.id

    @property
    def type(self) -> NodeType:
        """The node's kind."""
        return self.traits.type


def join(node: Node, traits: Traits) -> Step:
    """Sorts a node's inputs by how they are got. Raises: BadNode, for a list that is no link."""
    constants: dict[str, Any] = {}
    links: dict[str, Link] = {}
    raw: dict[str, Link] = {}
    waits: dict[str, None] = {}
    sources: dict[str, None] = {}
    for name, value in node.inputs.items():
        if name not in traits.names and not traits.others:
            if name in traits.spare and not isinstance(value, Link | BrokenLink):
                constants[name] = value
            continue
        if not isinstance(value, Link):
            if isinstance(value, BrokenLink):
                message = f"input {name} must be a value or a link [node id, slot], not {value.received!r:.80}"
                raise BadNode(message, node.id, node.class_type)
            constants[name] = value
            continue
        sources[value.node] = None
        is_raw, is_lazy = traits.handles(name) if traits.others else (name in traits.raw, name in traits.lazy)
        if is_raw:
            raw[name] = value
            constants[name] = [value.node, value.slot]
            continue
        links[name] = value
        if not is_lazy:
            waits[value.node] = None
    return Step(node, traits, constants, links, raw, tuple(waits), tuple(sources))


class Steps:
    """The steps of a run by node id, each made when it is first asked for."""

    def __init__(self, find: Callable[[str], Node | None], types: NodeTypes) -> None:
        self._find = find
        self._types = types
        self._traits: dict[str, Traits] = {}
        self._steps: dict[str, Step] = {}

    def __getitem__(self, node_id: str) -> Step:
        """Raises: BadNode, when nobody knows its kind or it is wired to nothing."""
        step = self._steps.get(node_id)
        if step is None:
            node = self._find(node_id)
            if node is None:
                raise BadNode(f"there is no node {node_id!r}", node_id)
            step = self._steps[node_id] = join(node, self._traits_of(node).settled(node))
            for name, link in (*step.links.items(), *step.raw.items()):
                if self._find(link.node) is None:
                    message = f"input {name} is wired to node {link.node!r}, which does not exist; remove that wire"
                    raise BadNode(message, node_id, node.class_type)
        return step

    def knows(self, class_type: str) -> NodeType | None:
        """The node type of that id, or None."""
        traits = self._traits.get(class_type)
        return self._types.get(class_type) if traits is None else traits.type

    def _traits_of(self, node: Node) -> Traits:
        traits = self._traits.get(node.class_type)
        if traits is None:
            node_type = self._types.get(node.class_type)
            if node_type is None:
                message = f"there is no node type {node.class_type!r}; is a plugin missing?"
                raise BadNode(message, node.id, node.class_type)
            traits = self._traits[node.class_type] = Traits.of(node_type)
        return traits


def in_order(targets: Iterable[str], sources: Callable[[str], Collection[str]], skip: Container[str] = ()) -> list[str]:
    """The targets and everything above them, sources first; what is in `skip` is taken as known.

    Raises: BadNode, naming the nodes of a cycle.
    """
    order: list[str] = []
    closed: set[str] = set()
    for target in targets:
        path: dict[str, None] = {}
        open_nodes = [(target, iter(sources(target)))] if target not in closed and target not in skip else []
        path.update((node, None) for node, _ in open_nodes)
        while open_nodes:
            node, rest = open_nodes[-1]
            for source in rest:
                if source in path:
                    raise BadNode(_cycle_message([*path], source), source)
                if source not in closed and source not in skip:
                    path[source] = None
                    open_nodes.append((source, iter(sources(source))))
                    break
            else:
                open_nodes.pop()
                del path[node]
                closed.add(node)
                order.append(node)
    return order


def _cycle_message(path: list[str], again: str) -> str:
    circle = [*path[path.index(again) :], again]
    shown = circle if len(circle) <= 12 else [*circle[:6], "…", *circle[-5:]]
    return f"these nodes need each other: {' <- '.join(shown)}; remove one of the wires"
