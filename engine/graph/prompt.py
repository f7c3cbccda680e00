"""A prompt: the graph to run, as frozen data that can be printed.

The API format is ComfyUI's: {"3": {"class_type": "KSampler", "inputs": {"model": ["4", 0], "seed": 7}}}. A list of two is
a link; a list meant as a value is wrapped as {"__value__": [...]}.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Link:
    """The output `slot` of the node `node`."""

    node: str
    slot: int


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a prompt: its id, its kind, and for every input a literal or a Link."""

    id: str
    class_type: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    title: str | None = None

    def links(self) -> Iterator[tuple[str, Link]]:
        """The inputs that are wired, as (input name, link)."""
        return ((name, value) for name, value in self.inputs.items() if isinstance(value, Link))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A graph to run: nodes by id, in the order of the file."""

    nodes: Mapping[str, Node]

    def __getitem__(self, node_id: str) -> Node:
        return self.nodes[node_id]

    def __contains__(self, node_id: object) -> bool:
        return node_id in self.nodes

    def __len__(self) -> int:
        return len(self.nodes)
