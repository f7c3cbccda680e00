"""Fewer events where many would say the same: progress, previews and lines of text of one node, so many a second.

Whatever is held back is passed on before anything else of that node, so the last word always arrives, in its order.
Pure: time comes in as an argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.graph.events import Event, Preview, Progress, Text

INTERVALS: Mapping[type, float] = MappingProxyType({Progress: 0.05, Preview: 0.1, Text: 0.05})
"""Seconds between two events of the kind and node. Source: processes.md, "Events" (progress); a preview is a file."""


@dataclass(slots=True)
class _Stream:
    """The events of one kind about one node: when one went last, whether it was the last step, and the one held."""

    went: float
    is_complete: bool
    held: Progress | Preview | Text | None = None


class Thinning:
    """Decides which events of one job go on, and when."""

    def __init__(self) -> None:
        self._streams: dict[str, dict[type, _Stream]] = {}

    def take(self, event: Event, now: float) -> list[Event]:
        """What is to be sent now that this event has come: nothing, itself, or what was held back and itself."""
        if isinstance(event, Preview) and event.mime == "image/png":
            # Somebody's finished picture (SaveImageWebsocket): every one counts.
            return [*self._release(event.node), event] if event.node in self._streams else [event]
        if isinstance(event, Progress | Preview | Text):
            return self._thin(event, now)
        node = getattr(event, "node", None)
        return [*self._release(node), event] if node in self._streams else [event]

    def overdue(self, now: float) -> list[Event]:
        """What has been held long enough, because nothing came after it."""
        found: list[Event] = []
        for streams in self._streams.values():
            for kind, stream in streams.items():
                if stream.held is not None and now - stream.went >= INTERVALS[kind]:
                    found.append(_let_go(stream, stream.held, now))
        return found

    def rest(self) -> list[Event]:
        """Everything still held back; the job is over."""
        return [event for node in [*self._streams] for event in self._release(node)]

    def _thin(self, event: Progress | Preview | Text, now: float) -> list[Event]:
        kind = type(event)
        streams = self._streams.setdefault(event.node, {})
        stream = streams.get(kind)
        if stream is None:
            stream = streams[kind] = _Stream(now, False)
        elif now - stream.went < INTERVALS[kind] and (stream.is_complete or not _is_complete(event)):
            stream.held = event
            return []
        return [*self._progress_before(event, now), _let_go(stream, event, now)]

    def _progress_before(self, event: Progress | Preview | Text, now: float) -> list[Event]:
        """The held step that a preview or a text of the same node is about."""
        stream = self._streams[event.node].get(Progress)
        if stream is None or stream.held is None or isinstance(event, Progress):
            return []
        return [_let_go(stream, stream.held, now)]

    def _release(self, node: str) -> list[Event]:
        """What is held back of a node about which something lasting is said; its streams begin anew."""
        return [each.held for each in self._streams.pop(node).values() if each.held is not None]


def _let_go(stream: _Stream, event: Progress | Preview | Text, now: float) -> Event:
    stream.went, stream.held, stream.is_complete = now, None, _is_complete(event)
    return event


def _is_complete(event: Event) -> bool:
    return isinstance(event, Progress) and event.value >= event.maximum
