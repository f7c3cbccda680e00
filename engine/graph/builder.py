"""Write a Prompt in Python.

    graph = Builder()
    checkpoint = graph.node("CheckpointLoaderSimple", ckpt_name="sd15.safetensors")
    text = graph.node("CLIPTextEncode", text="a red apple", clip=checkpoint.out(1))
    prompt = graph.prompt()

Ids are "1", "2", … in the order of writing, after a prefix: the same code gives the same ids, so that what an expanding
node made last time is found in the cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import PromptError
from engine.graph.prompt import Link, Node, Prompt


@dataclass(frozen=True, slots=True)
class Handle:
    """A node that was written, to be wired to others."""

    id: str

    def out(self, slot: int = 0) -> Link:
        """The node's output of that number."""
        return Link(self.id, slot)


class Builder:
    """Collects nodes and gives them ids."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._nodes: dict[str, Node] = {}
        self._next = 1

    def node(self, class_type: str, *, id: str | None = None, title: str | None = None, **inputs: Any) -> Handle:
        """Adds a node; an input is a literal, another node (its first output), or one of its outputs by `out(slot)`.

        `id` names the node where a number will not do (the prefix comes before it all the same).
        Raises: PromptError, when the id is taken.
        """
        return self.add(class_type, inputs, id=id, title=title)

    def add(
        self, class_type: str, inputs: Mapping[str, Any], *, id: str | None = None, title: str | None = None
    ) -> Handle:
        """The same for inputs in a mapping, where their names are no Python words ("class_type", "id", "my input").

        Raises: PromptError, when the id is taken.
        """
        node_id = self._prefix + (self._number() if id is None else id)
        if node_id in self._nodes:
            raise PromptError(f"the graph has a node {node_id!r} already; give the new one another id")
        wired = {name: value.out() if isinstance(value, Handle) else value for name, value in inputs.items()}
        self._nodes[node_id] = Node(node_id, class_type, wired, title)
        return Handle(node_id)

    def set(self, handle: Handle, name: str, value: Any) -> None:
        """Changes an input of a node written before; this is how a loop's end is wired to its beginning."""
        node = self._nodes[handle.id]
        changed = {**node.inputs, name: value.out() if isinstance(value, Handle) else value}
        self._nodes[handle.id] = Node(node.id, node.class_type, changed, node.title, node.extra)

    def prompt(self) -> Prompt:
        """The graph so far."""
        return Prompt(dict(self._nodes))

    def to_json(self) -> dict[str, Any]:
        """The graph so far in API JSON, as `Result(expand=…)` takes it."""
        return self.prompt().to_json()

    def _number(self) -> str:
        while self._prefix + str(self._next) in self._nodes:
            self._next += 1
        number = str(self._next)
        self._next += 1
        return number
