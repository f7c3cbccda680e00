"""How far the nodes of the running prompt are: told by authors, shown by clients."""

from enum import Enum
from typing import Any, TypedDict
from weakref import WeakKeyDictionary

from compat.host import Work, host
from compat.missing import missing
from engine.graph.events import Progress


class NodeState(Enum):
    """Where a node stands."""

    Pending = "pending"
    Running = "running"
    Finished = "finished"
    Error = "error"


class NodeProgressState(TypedDict):
    """How far a node is: `value` of `max`."""

    state: NodeState
    value: float
    max: float


class ProgressRegistry:
    """The progress of one prompt's nodes, as far as their authors told it here."""

    def __init__(self, prompt_id: str, dynprompt: Any = None) -> None:
        self.prompt_id = prompt_id
        self.dynprompt = dynprompt
        self.nodes: dict[str, NodeProgressState] = {}

    def ensure_entry(self, node_id: str) -> NodeProgressState:
        """The state of a node, made where nothing was known of it."""
        return self.nodes.setdefault(node_id, NodeProgressState(state=NodeState.Pending, value=0, max=1))

    def start_progress(self, node_id: str) -> None:
        """The node has begun."""
        entry = self.ensure_entry(node_id)
        entry["state"], entry["value"], entry["max"] = NodeState.Running, 0.0, 1.0

    def update_progress(self, node_id: str, value: float, max_value: float, image: Any = None) -> None:
        """The node has done `value` of `max_value`; clients are told, and the node is stopped if someone asked.

        image: ("JPEG" or "PNG", a PIL image, the longest side in pixels or None), shown with it.
        """
        entry = self.ensure_entry(node_id)
        entry["state"], entry["value"], entry["max"] = NodeState.Running, value, max_value
        run = host().run
        if run is None:
            return
        run.emit(Progress(node_id, value, max_value))
        if image is not None:
            from comfy.utils import ProgressBar

            ProgressBar(max_value, node_id).update_absolute(value, max_value, image)
        run.stop_if_cancelled()

    def finish_progress(self, node_id: str) -> None:
        """The node is done."""
        entry = self.ensure_entry(node_id)
        entry["state"], entry["value"] = NodeState.Finished, entry["max"]


_registries: "WeakKeyDictionary[Any, tuple[Work, ProgressRegistry]]" = WeakKeyDictionary()


def get_progress_state() -> ProgressRegistry:
    """The progress of the prompt that is being executed."""
    here = host()
    kept = _registries.get(here)
    if kept is None or kept[0] is not here.work:
        kept = _registries[here] = (here.work, ProgressRegistry(here.work.prompt_id))
    return kept[1]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
