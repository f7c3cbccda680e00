"""What is known about one plugin: how its import went, and what it brought along."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compat.sampler_lists import Listed
from engine.graph.nodetype import NodeType

STATES = ("loaded", "failed", "skipped", "disabled", "crashed")


@dataclass(slots=True)
class Record:
    """A plugin as people are shown it.

    state: one of STATES. error: one line; problems: lines about single nodes, which do without. nodes: the ids of those
    that count. shadowed: whose node counts, by the ids of those that another plugin also has. named: the ids that its
    files name, where it could not be imported. web: names below /extensions, and the folders behind them.
    """

    name: str
    path: str
    state: str = "skipped"
    error: str = ""
    traceback: str = ""
    seconds: float = 0.0
    nodes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    shadowed: dict[str, str] = field(default_factory=dict)
    named: list[str] = field(default_factory=list)
    web: dict[str, str] = field(default_factory=dict)
    version: str = ""

    def shown(self) -> dict[str, Any]:
        """The record as data."""
        return {
            "name": self.name,
            "path": self.path,
            "state": self.state,
            "error": self.error,
            "traceback": self.traceback,
            "seconds": round(self.seconds, 3),
            "nodes": list(self.nodes),
            "problems": self._all_problems(),
            "named": list(self.named),
            "web": dict(self.web),
            "version": self.version,
        }

    @property
    def line(self) -> str:
        """What the log says about it, in one line."""
        head = f"plugin {self.name}: {self.state}"
        if self.state == "loaded":
            web = ", scripts for browsers" if self.web else ""
            head = f"{head} in {self.seconds:.2f} s, {len(self.nodes)} nodes{web}"
        return "; ".join([head, *([self.error] if self.error else []), *self._all_problems()])

    def _all_problems(self) -> list[str]:
        line = "node {}: plugin {}, which is imported later, has one of that name, which counts"
        return [*self.problems, *(line.format(id, winner) for id, winner in sorted(self.shadowed.items()))]


@dataclass(frozen=True, slots=True)
class Given:
    """A node that a plugin has: its class as it stands in NODE_CLASS_MAPPINGS, its display name, our node type."""

    cls: Any
    name: str
    node_type: NodeType


@dataclass(slots=True)
class Plugin:
    """A plugin that was imported: its record, and all that must go when it is imported again.

    given: its nodes by id, also those of which another plugin's counts. handlers: those that see prompts. listed: what
    it wrote into the lists of samplers and schedules.
    """

    path: Path
    stamp: str
    record: Record
    given: Mapping[str, Given] = field(default_factory=dict)
    handlers: Sequence[Any] = ()
    listed: Listed = field(default_factory=Counter)


def one_line(error: BaseException) -> str:
    """What was raised, as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__
