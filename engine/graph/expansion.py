"""The graph while it runs: the prompt, and the nodes that nodes have put in their own place.

A node that expands returns a graph whose ids are its own business; here they become
`<node>.<call index>.<graph index>.<id>`, the same in every run, so results of the new nodes can be cached.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import PromptError
from engine.graph.prompt import Link, Node, Prompt

MAX_NODES = 1_000_000  # a graph that grows beyond this is taken for one that expands forever


def as_link(value: Any) -> Link | None:
    """The link a value stands for: a Link, or ComfyUI's [node id, slot]; else None."""
    if isinstance(value, Link):
        return value
    if isinstance(value, list | tuple) and len(value) == 2:
        node, slot = value
        if isinstance(node, str) and _is_whole(slot):
            return Link(node, int(slot))
    return None


def _is_whole(slot: Any) -> bool:
    """Whether a number can be a slot's; infinity and 1.9 are values like any other."""
    return type(slot) is int or (isinstance(slot, float) and slot.is_integer())


@dataclass(frozen=True, slots=True)
class Expansion:
    """The nodes one call put in its place: their new ids by the ids they came with."""

    names: Mapping[str, str]

    @property
    def nodes(self) -> list[str]:
        """The new ids, in the order the node gave them."""
        return [*self.names.values()]

    def rename(self, value: Any) -> Any:
        """A value of the result: a Link where it points at a node, with the node's new id."""
        link = as_link(value)
        return value if link is None else Link(self.names.get(link.node, link.node), link.slot)


class DynamicPrompt:
    """The prompt and the nodes added to it while it runs; what the hidden input DYNPROMPT gives to a node.

    The `get_…` names are ComfyUI's; loop nodes use them to walk the graph backwards.
    """

    def __init__(self, prompt: Prompt, original: Mapping[str, Any] | None = None) -> None:
        self._prompt = prompt
        self._added: dict[str, Node] = {}
        self._parents: dict[str, str] = {}
        self._roots: dict[str, str] = {}
        self._display: dict[str, str] = {}
        self._original = original

    def node(self, node_id: str) -> Node | None:
        """The node of that id, from the prompt or added; None when there is none."""
        return self._prompt.nodes.get(node_id) or self._added.get(node_id)

    def parent(self, node_id: str) -> str | None:
        """The node that put this one in its place; None for a node of the prompt."""
        return self._parents.get(node_id)

    def root(self, node_id: str) -> str:
        """The node of the prompt that this one came from, itself if it is one."""
        return self._roots.get(node_id, node_id)

    def display(self, node_id: str) -> str:
        """The node of the prompt under which this one's progress and pictures are shown."""
        return self._display.get(node_id, node_id)

    def expand(self, parent: str, call: int, graph: Mapping[str, Mapping[str, Any]]) -> Expansion:
        """Adds the graph that call number `call` of the node `parent` returned.

        Raises: PromptError, when it is no graph or grows without end.
        """
        if len(self._added) + len(graph) > MAX_NODES:
            raise PromptError(f"node {parent} keeps adding nodes ({MAX_NODES:,} so far); does its loop never end?")
        prefix = f"{parent}.{call}."
        names = {each: each if each.startswith(prefix) else f"{prefix}0.{each}" for each in map(str, graph)}
        expansion = Expansion(names)
        for own, description in graph.items():
            new = names[str(own)]
            if self.node(new) is not None:
                raise PromptError(f"node {parent} adds a node {new}, but there is one already; give it another id")
            self._added[new] = _read(new, description, expansion, parent)
            self._parents[new] = parent
            self._roots[new] = self.root(parent)
            self._display[new] = self.display(str(description.get("override_display_id") or parent))
        return expansion

    def get_node(self, node_id: str) -> dict[str, Any]:
        """The node as API JSON, links as [id, slot]. Raises: PromptError, when there is none."""
        node = self.node(node_id)
        if node is None:
            raise PromptError(f"there is no node {node_id}")
        return {"class_type": node.class_type, "inputs": {name: _write(each) for name, each in node.inputs.items()}}

    def has_node(self, node_id: str) -> bool:
        """Whether there is a node of that id."""
        return self.node(node_id) is not None

    def all_node_ids(self) -> set[str]:
        """Every id, of the prompt and added."""
        return {*self._prompt.nodes, *self._added}

    def get_original_prompt(self) -> Mapping[str, Any]:
        """The prompt as API JSON."""
        if self._original is None:
            self._original = self._prompt.to_json()
        return self._original

    def get_parent_node_id(self, node_id: str) -> str | None:
        """ComfyUI's name for `parent`."""
        return self.parent(node_id)

    def get_real_node_id(self, node_id: str) -> str:
        """ComfyUI's name for `root`."""
        return self.root(node_id)

    def get_display_node_id(self, node_id: str) -> str:
        """ComfyUI's name for `display`."""
        return self.display(node_id)

    @property
    def original_prompt(self) -> Mapping[str, Any]:
        """ComfyUI's name for the prompt as API JSON."""
        return self.get_original_prompt()

    @property
    def ephemeral_prompt(self) -> Mapping[str, Any]:
        """ComfyUI's name for the added nodes, as API JSON."""
        return {node_id: self.get_node(node_id) for node_id in self._added}


def _read(node_id: str, description: Any, expansion: Expansion, parent: str) -> Node:
    class_type = description.get("class_type") if isinstance(description, Mapping) else None
    inputs = description.get("inputs", {}) if isinstance(description, Mapping) else None
    if not isinstance(class_type, str) or not isinstance(inputs, Mapping):
        raise PromptError(
            f"node {parent} expands into something that is no node: expected {{class_type, inputs}}, "
            f"got {description!r:.200}"
        )
    return Node(node_id, class_type, {name: _read_input(value, expansion) for name, value in inputs.items()})


def _write(value: Any) -> Any:
    if isinstance(value, Link):
        return [value.node, value.slot]
    return {"__value__": value} if isinstance(value, list) else value


def _read_input(value: Any, expansion: Expansion) -> Any:
    if isinstance(value, Mapping) and "__value__" in value:
        return value["__value__"]
    return expansion.rename(value)
