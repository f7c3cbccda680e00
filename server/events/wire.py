"""What a run looks like to ComfyUI's clients: the engine's events become the messages of protocol.md, section 2.1.

Pure: time comes in as an argument, and what goes out is data.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.graph.events import (
    Cached,
    Event,
    Executed,
    Executing,
    Failed,
    Finished,
    Interrupted,
    Preview,
    Progress,
    Started,
    Text,
)
from server.events.node_states import NodeStates
from server.jobs.job import Frame, Item, NewEvent, Output, Span
from server.protocol import messages as protocol

Remembered = list[tuple[str, Mapping[str, object]]]

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")

DEEPEST = 50
"""Levels of lists and dicts in what a node shows; what lies deeper is left out, as no client shows it."""


class Story:
    """One job's run, told as clients expect it. Fed every event of the run in order."""

    def __init__(self, job: str, *, classes: Mapping[str, str]) -> None:
        """classes: the class of each node of the prompt, for spans and errors."""
        self._job, self._classes = job, classes
        self._nodes = NodeStates(job, classes)
        self._executed: list[str] = []
        self._messages: Remembered = []
        self._error: protocol.ExecutionError | None = None
        self._spans: list[Span] = []

    def tell(self, event: Event, now: float) -> tuple[list[Item], list[Output]]:
        """What to store and send for an event, and what a node showed. Units: now is seconds since 1970."""
        match event:
            case Executed():
                return self._after(event, now)
            case Started():
                return [self._remember("execution_start", self._mark(now))], []
            case Cached(nodes):
                cached: protocol.ExecutionCached = {**self._mark(now), "nodes": [*nodes]}
                return [self._remember("execution_cached", cached)], []
            case Executing():
                return self._before(event, now), []
            case Progress(node, value, maximum):
                return self._advance(node, value, maximum, now), []
            case Preview() | Text():
                return [self._frame(event)], []
            case Failed(blocked=True):
                return [NewEvent("execution_error", self._failure(event))], []
            case Failed():
                return self._fail(self._failure(event), now), []
            case Interrupted():
                place = self._place(event.node or "", event.class_type, event.executed)
                stopped: protocol.ExecutionInterrupted = {**place, "timestamp": milliseconds(now)}
                return [*self._cut_off(now), self._remember("execution_interrupted", stopped)], []
            case Finished(status):
                return self._finish(status, now), []

    def crash(self, cause: str, message: str, now: float) -> list[Item]:
        """The messages of a run whose worker died: execution_error at the node that ran."""
        current = self._nodes.current
        failed = Failed(
            node=current.node if current else "",
            class_type=current.class_type if current else "",
            message=message,
            exception_type="WorkerDied",
            executed=tuple(self._executed),
        )
        start = [] if self._messages else [self._remember("execution_start", self._mark(now))]
        return [*start, *self._fail({**self._failure(failed), "cause": cause}, now)]

    def end(self, now: float) -> list[Item]:
        """The messages after the last event: a last progress_state, and the end mark (executing, node null)."""
        data: protocol.Executing = {"node": None, "prompt_id": self._job}
        return [*self._cut_off(now), NewEvent("executing", data)]

    @property
    def messages(self) -> Remembered:
        """execution_start, execution_cached and the end, for the history entry."""
        return self._messages

    @property
    def error(self) -> protocol.ExecutionError | None:
        """The data of execution_error, where there was one that ended the run."""
        return self._error

    @property
    def spans(self) -> list[Span]:
        """How long each node took; one that the end of the run cut off, until then."""
        return self._spans

    @property
    def current(self) -> tuple[str, str] | None:
        """The node that runs now, and the one it stands for on the screen."""
        state = self._nodes.current
        return None if state is None else (state.node, state.display)

    # --- nodes ---

    def _before(self, event: Executing, now: float) -> list[Item]:
        self._nodes.begin(event.node, event.display_node, event.parent, event.class_type, now)
        data: protocol.Executing = {
            "node": event.node,
            "display_node": event.display_node,
            "prompt_id": self._job,
        }
        return [*self._states(self._nodes.due(now)), NewEvent("executing", data)]

    def _advance(self, node: str, value: float, maximum: float, now: float) -> list[Item]:
        done, whole = self._nodes.advance(node, value, maximum)
        data: protocol.NodeProgress = {"value": done, "max": whole, "prompt_id": self._job, "node": node}
        return [*self._states(self._nodes.due(now)), NewEvent("progress", data)]

    def _frame(self, event: Preview | Text) -> Frame:
        meta = self._nodes[event.node].ids(self._job)
        if isinstance(event, Text):
            return Frame("text", event.node, event.text.encode("utf-8", "replace"), meta=meta)
        return Frame("preview", event.node, event.data, event.mime, meta, event.is_asked)

    def _after(self, event: Executed, now: float) -> tuple[list[Item], list[Output]]:
        state = self._nodes.finish(event.node, event.display_node, now)
        if not event.cached:
            self._executed.append(event.node)
        began = now if event.cached else state.began
        self._spans.append(Span(event.node, state.class_type, began * 1000, event.seconds, event.display_node))
        ui = None if event.ui is None else {mended(str(key)): plain(values) for key, values in event.ui.items()}
        items: list[Item] = []
        # ComfyUI: a cached output node is told again even where it showed nothing.
        if ui is not None or event.cached:
            data: protocol.Executed = {
                "node": event.node,
                "display_node": event.display_node,
                "output": ui,
                "prompt_id": self._job,
            }
            items.append(NewEvent("executed", data))
        shown = [] if ui is None else [Output(event.node, ui, event.display_node, state.parent, state.root)]
        return [*items, *self._states(self._nodes.due(now))], shown

    # --- ends ---

    def _finish(self, status: str, now: float) -> list[Item]:
        items = self._cut_off(now)
        if status == "succeeded":
            items.append(self._remember("execution_success", self._mark(now)))
        return items

    def _fail(self, failure: protocol.ExecutionError, now: float) -> list[Item]:
        items = self._cut_off(now)
        self._error = {**failure, "timestamp": milliseconds(now)}
        return [*items, self._remember("execution_error", self._error)]

    def _cut_off(self, now: float) -> list[Item]:
        """What still runs does no longer; the last state of all nodes."""
        for state in self._nodes.fail():
            seconds = max(0.0, now - state.began)
            self._spans.append(Span(state.node, state.class_type, state.began * 1000, seconds, state.display))
        return self._states(self._nodes.rest(now))

    def _failure(self, event: Failed) -> protocol.ExecutionError:
        place = self._place(event.node, event.class_type, event.executed)
        return {
            **place,  # type: ignore[typeddict-item]  # cause and timestamp are not in a place
            # ComfyUI: the text of an error that ends the run has a line end, that of a blocked node has none.
            "exception_message": mended(event.message if event.blocked else f"{event.message.rstrip()}\n"),
            "exception_type": mended(event.exception_type),
            "traceback": [mended(each) for each in event.traceback],
            "current_inputs": plain(event.inputs),
            "current_outputs": [] if event.blocked else [*event.executed],
        }

    def _place(self, node: str, class_type: str, executed: Sequence[str]) -> protocol.ExecutionPlace:
        """Where a run ended. A node that was added is reported as the node of the prompt that it is a part of."""
        root = self._nodes[node].root
        place: protocol.ExecutionPlace = {
            "prompt_id": self._job,
            "node_id": root,
            "node_type": self._classes.get(root, class_type),
            "executed": [*executed],
        }
        return place if root == node else {**place, "inner_node_id": node, "inner_node_type": class_type}

    # --- messages ---

    def _states(self, data: protocol.ProgressState | None) -> list[Item]:
        return [] if data is None else [NewEvent("progress_state", data)]

    def _mark(self, now: float) -> protocol.ExecutionMark:
        return {"prompt_id": self._job, "timestamp": milliseconds(now)}

    def _remember(self, type: str, data: Mapping[str, object]) -> NewEvent:
        """A message that the history keeps too."""
        self._messages.append((type, data))
        return NewEvent(type, data)


def milliseconds(now: float) -> int:
    """A time as messages tell it."""
    return int(now * 1000)


def plain(value: Any, depth: int = DEEPEST) -> Any:
    """What a node's author gave, as JSON that every client can read: no NaN, no half characters, no endless nesting."""
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {mended(str(key)): plain(each, depth - 1) for key, each in value.items()} if depth else {}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [plain(each, depth - 1) for each in value] if depth else []
    return value


def mended(text: str) -> str:
    """A text without halves of surrogate pairs, which file names and broken decoders leave: two that belong together
    become their character, others the replacement character."""
    if text.isascii() or not _HALF_CHARACTER.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
