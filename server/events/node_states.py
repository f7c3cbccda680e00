"""How far each node of a run is: the map that progress_state shows, and when it is worth showing again.

The whole map is sent every time, so it is thinned: what a run says this way is bounded by time, not by its nodes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from server.protocol.messages import NodeIds, ProgressState
from server.protocol.messages import NodeState as Entry

PAUSE = 0.25  # seconds between two maps, at least
BYTES_PER_SECOND = 32 << 10  # of maps; larger ones get still less: 1,000 nodes of 20 ms cost 0.7 MiB, all included


@dataclass(slots=True)
class NodeState:
    """A node that has begun. display: the node it is shown under; parent: who added it; root: whose part it is."""

    node: str
    display: str
    parent: str | None
    root: str
    class_type: str
    began: float
    value: float = 0
    maximum: float = 1
    state: Literal["running", "finished", "error"] = "running"

    def ids(self, job: str) -> NodeIds:
        """Which node this is, in the protocol's names."""
        return {
            "node_id": self.node,
            "prompt_id": job,
            "display_node_id": self.display,
            "parent_node_id": self.parent,
            "real_node_id": self.root,
        }

    def entry(self, job: str) -> Entry:
        """The node's place in a progress_state."""
        return {"value": self.value, "max": self.maximum, "state": self.state, **self.ids(job)}


class NodeStates:
    """The nodes of a run that have begun, in that order."""

    def __init__(self, job: str, classes: Mapping[str, str]) -> None:
        self._job, self._classes = job, classes
        self._nodes: dict[str, NodeState] = {}
        self._running: dict[str, NodeState] = {}
        self._bytes = 0
        self._next = -math.inf
        self._is_news = False

    def __getitem__(self, node: str) -> NodeState:
        """What is known of a node, also of one that has not begun."""
        return self._nodes.get(node) or self._introduce(node, None, None, "", 0.0)

    def begin(self, node: str, display: str, parent: str | None, class_type: str, now: float) -> NodeState:
        """A node runs."""
        state = self._introduce(node, display, parent, class_type, now)
        if node not in self._nodes:
            self._bytes += len(json.dumps({node: state.entry(self._job)}))
        self._nodes[node] = self._running[node] = state
        self._is_news = True
        return state

    def advance(self, node: str, value: object, maximum: object) -> tuple[float, float]:
        """A node has done so much of its work. Returns: both numbers, fit for JSON."""
        done, whole = _number(value), _number(maximum)
        if node in self._running:
            self._running[node].value, self._running[node].maximum = done, whole
            self._is_news = True
        return done, whole

    def finish(self, node: str, display: str, now: float) -> NodeState:
        """A node is done, or need not run."""
        state = self._nodes.get(node) or self.begin(node, display, None, "", now)
        self._running.pop(node, None)
        state.value, state.state = state.maximum, "finished"
        self._is_news = True
        return state

    def fail(self) -> list[NodeState]:
        """The run is over before these nodes are. Returns: them."""
        left = list(self._running.values())
        for state in left:
            state.state = "error"
        self._running.clear()
        self._is_news = self._is_news or bool(left)
        return left

    @property
    def current(self) -> NodeState | None:
        """The node that began last of those that run."""
        return next(reversed(self._running.values()), None)

    def due(self, now: float) -> ProgressState | None:
        """The map, if it says something new and enough time has passed for its size."""
        return self.rest(now) if now >= self._next else None

    def rest(self, now: float) -> ProgressState | None:
        """The map, if it says something new."""
        if not self._is_news:
            return None
        self._is_news = False
        seconds = self._bytes / BYTES_PER_SECOND
        self._next = now + max(PAUSE, seconds, seconds * seconds)
        return {
            "prompt_id": self._job,
            "nodes": {node: state.entry(self._job) for node, state in self._nodes.items()},
        }

    def _introduce(self, node: str, display: str | None, parent: str | None, class_type: str, now: float) -> NodeState:
        root = self._root(node if parent is None else parent)
        if parent is None and root != node:  # a cached node of a graph that another run put there
            parent = root
        return NodeState(node, display or root, parent, root, class_type or self._classes.get(root, ""), now)

    def _root(self, node: str) -> str:
        """The node of the prompt that this one came from. Ids of added nodes begin with that of their parent."""
        while node not in self._classes:
            if node in self._nodes:
                return self._nodes[node].root
            if "." not in node:
                break
            node = node.rpartition(".")[0]
        return node


def _number(value: object) -> float:
    """What a node's author gave for a number, as one that JSON knows."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return 0
