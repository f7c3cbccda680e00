"""Writing the graph that a node puts in its own place, with ids that are the same in every run."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


class ExecutionBlocker:
    """In place of an output: whoever needs it is not run, silently, or with the message shown."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message


def is_link(obj: Any) -> bool:
    """Whether a value is a link, [node id, slot]."""
    if not isinstance(obj, list) or len(obj) != 2:
        return False
    node, slot = obj
    return isinstance(node, str) and isinstance(slot, int | float)


@dataclass(slots=True)
class _Prefix:
    """Where ids begin: the node that is called, which of its calls it is, and the graphs written in it so far."""

    root: str = "UNIQUE"
    call: int = 0
    graph: int = 0

    def text(self) -> str:
        return f"{self.root}.{self.call}.{self.graph}."


class _Defaults:
    """The prefix for graphs that name none: this coroutine's, or else (a thread of an author's) the one set last.

    Async nodes take turns, so a prefix that all share would be another node's after the first `await`.
    """

    def __init__(self) -> None:
        self._own: ContextVar[_Prefix | None] = ContextVar("prefix", default=None)
        self._last = _Prefix()

    @property
    def now(self) -> _Prefix:
        return self._own.get() or self._last

    def set(self, prefix: _Prefix) -> None:
        self._last = prefix
        self._own.set(prefix)


_defaults = _Defaults()


class GraphBuilder:
    """Collects the nodes of a graph. An id is stored with the builder's prefix before it."""

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix: str = GraphBuilder.alloc_prefix() if prefix is None else prefix
        self.nodes: dict[str, Node] = {}
        self.id_gen = 1

    @classmethod
    def set_default_prefix(cls, prefix_root: str, call_index: int, graph_index: int = 0) -> None:
        """Begins the ids of the graphs made from now on; done before every call of a node's function."""
        _defaults.set(_Prefix(prefix_root, call_index, graph_index))

    @classmethod
    def alloc_prefix(
        cls, root: str | None = None, call_index: int | None = None, graph_index: int | None = None
    ) -> str:
        """The next prefix; what is given takes the place of the default's part."""
        now = _defaults.now
        result = _Prefix(
            now.root if root is None else root,
            now.call if call_index is None else call_index,
            now.graph if graph_index is None else graph_index,
        ).text()
        if graph_index is None:
            now.graph += 1
        return result

    def node(self, class_type: str, id: str | None = None, **kwargs: Any) -> "Node":
        """Adds a node with these inputs, values or links; one that has that id already is returned as it is."""
        if id is None:
            id = str(self.id_gen)
            self.id_gen += 1
        key = self.prefix + id
        if key not in self.nodes:
            self.nodes[key] = Node(key, class_type, kwargs)
        return self.nodes[key]

    def lookup_node(self, id: str) -> "Node | None":
        """The node of that id (without the prefix), or None."""
        return self.nodes.get(self.prefix + id)

    def finalize(self) -> dict[str, dict[str, Any]]:
        """The graph as a node returns it under "expand"."""
        return {key: node.serialize() for key, node in self.nodes.items()}

    def replace_node_output(self, node_id: str, index: int, new_value: Any) -> None:
        """Feeds what an output (of an id without the prefix) feeds with another value; None takes those inputs away."""
        key = self.prefix + node_id
        for node in self.nodes.values():
            fed = [name for name, value in node.inputs.items() if is_link(value) and value == [key, index]]
            for name in fed:
                node.set_input(name, new_value)

    def remove_node(self, id: str) -> None:
        """Takes a node out, by its id without the prefix."""
        del self.nodes[self.prefix + id]


class Node:
    """A node of a graph being written."""

    def __init__(self, id: str, class_type: str, inputs: Mapping[str, Any]) -> None:
        self.id = id
        self.class_type = class_type
        self.inputs = dict(inputs)
        self.override_display_id: str | None = None

    def out(self, index: int) -> list[Any]:
        """A link to one of its outputs."""
        return [self.id, index]

    def set_input(self, key: str, value: Any) -> None:
        """Sets an input to a value or a link; None takes it away."""
        if value is None:
            self.inputs.pop(key, None)
        else:
            self.inputs[key] = value

    def get_input(self, key: str) -> Any:
        """The input of that name, or None."""
        return self.inputs.get(key)

    def set_override_display_id(self, override_display_id: str) -> None:
        """Shows progress and results of this node on that one."""
        self.override_display_id = override_display_id

    def serialize(self) -> dict[str, Any]:
        """The node as it stands in a graph."""
        written: dict[str, Any] = {"class_type": self.class_type, "inputs": self.inputs}
        if self.override_display_id is not None:
            written["override_display_id"] = self.override_display_id
        return written


def add_graph_prefix(
    graph: Mapping[str, Mapping[str, Any]], outputs: Any, prefix: str
) -> tuple[dict[str, dict[str, Any]], tuple[Any, ...]]:
    """The graph and its outputs with every id, and every link to it, behind a prefix."""

    def renamed(value: Any) -> Any:
        return [prefix + value[0], value[1]] if is_link(value) else value

    written = {
        prefix + id: {**node, "inputs": {name: renamed(value) for name, value in node.get("inputs", {}).items()}}
        for id, node in graph.items()
    }
    return written, tuple(renamed(each) for each in outputs)
