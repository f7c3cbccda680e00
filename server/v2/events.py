"""What happens to a job as server-sent events of API v2: status, progress, preview, output.

Each event that stands for a stored message has that message's number as its id, so a client that comes back with
Last-Event-ID misses none. Previews are not stored and have none.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from server.events.mailbox import Packet
from server.jobs.job import Frame, Sent, StoredEvent
from server.protocol import v2
from server.v2.job_json import progress
from server.v2.outputs import Made, of_node

BETWEEN = 0.5
"""Seconds between two progress or two preview events, but for the first and last of a node. Source: the contract's
"about two per second"."""

ENDS: Mapping[str, v2.Status] = {
    "execution_success": "succeeded",
    "execution_error": "failed",
    "execution_interrupted": "canceled",
}


class Dialect:
    """How one stream about a job is spoken.

    classes: of each node of its prompt. tell: the JSON of a file that was made.
    """

    def __init__(
        self, classes: Mapping[str, str], tell: Callable[[Made], v2.Output], clock: Callable[[], float]
    ) -> None:
        self._classes, self._tell, self._clock = classes, tell, clock
        self._told: set[str] = set()
        self._node: str | None = None
        self._spoke = float("-inf")
        self._showed = float("-inf")
        self._end: v2.Status | None = None

    def say(self, item: Sent) -> Iterator[Packet]:
        """What happened, as the packets this stream gets."""
        if isinstance(item, StoredEvent):
            yield from self._message(item)
        elif item.kind == "preview":
            yield from self._preview(item)

    def _message(self, event: StoredEvent) -> Iterator[Packet]:
        data = json.loads(event.text)
        if event.type == "execution_start":
            yield sse("status", {"status": "running"}, event.number)
        elif event.type == "progress_state":
            yield from self._progress(data, event.number)
        elif event.type == "executed" and isinstance(data.get("output"), Mapping):
            yield from self._outputs(event, data)
        elif event.type in ENDS and not _goes_on(data):
            self._end = ENDS[event.type]
        elif event.type == "executing" and data.get("node") is None:
            status: v2.Status = self._end or "canceled"  # one that was taken out of the queue has no other mark
            yield sse("status", {"status": status}, event.number, is_end=True)

    def _progress(self, state: Mapping[str, Any], number: int) -> Iterator[Packet]:
        found = progress(state, len(self._classes), self._classes)
        is_news = found["current_node"] != self._node or found["step"] == found["steps"]
        now = self._clock()
        if is_news or now - self._spoke >= BETWEEN:
            self._node, self._spoke = found["current_node"], now
            yield sse("progress", found, number)

    def _outputs(self, event: StoredEvent, data: Mapping[str, Any]) -> Iterator[Packet]:
        for each in of_node(event.job, str(data.get("node")), data["output"]):
            if each.id not in self._told:  # a job that was begun again tells of them twice
                self._told.add(each.id)
                yield sse("output", self._tell(each), event.number)

    def _preview(self, frame: Frame) -> Iterator[Packet]:
        now = self._clock()
        if frame.mime == "image/jpeg" and now - self._showed < BETWEEN:
            return
        self._showed = now
        shown = {
            "node_id": frame.node,
            "content_type": frame.mime,
            "data_base64": base64.b64encode(frame.data).decode("ascii"),
        }
        yield sse("preview", shown)


def sse(event: str, data: Mapping[str, Any], number: int | None = None, *, is_end: bool = False) -> Packet:
    """One server-sent event. number: of the stored message it stands for."""
    head = "" if number is None else f"id: {number}\n"
    text = json.dumps(data, separators=(",", ":"))
    return Packet(f"{head}event: {event}\ndata: {text}\n\n".encode("utf-8", "replace"), is_end=is_end)


def _goes_on(data: Mapping[str, Any]) -> bool:
    """Whether an execution_error is about a blocked node, after which the run goes on."""
    return data.get("exception_type") == "ExecutionBlocked"
