"""How a client wants to be spoken to: what happened, as packets for a socket or as lines of server-sent events."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from server.events import frames
from server.events.features import PREVIEW_METADATA, TEXT_METADATA
from server.events.mailbox import Packet
from server.jobs.job import Frame, Sent, StoredEvent


class SocketDialect:
    """The way one socket is spoken to; it depends on what the client said it can do."""

    def __init__(self, server_flags: Mapping[str, Any], *, shows_everybody: bool = True) -> None:
        self._server_flags = server_flags
        self._shows_everybody = shows_everybody
        self._client_flags: Mapping[str, Any] = {}
        self._later: dict[tuple[str, str], Frame] = {}

    def agree(self, client_flags: Mapping[str, Any]) -> None:
        """The client has said what it can do."""
        self._client_flags = client_flags

    @property
    def flags(self) -> Mapping[str, Any]:
        """What the client has said."""
        return self._client_flags

    def say(self, item: Sent) -> Iterator[Packet]:
        """What happened, as packets in the order this client expects."""
        if isinstance(item, StoredEvent):
            yield from self._message(item)
        elif item.kind == "text":
            yield Packet(frames.text(item, with_prompt=self._both(TEXT_METADATA)), is_binary=True)
        elif self._both(PREVIEW_METADATA):
            yield _picture(item, frames.picture_with_metadata(item))
        elif self._shows_everybody or item.is_asked or _is_finished(item):
            yield from self._old_picture(item)

    def _message(self, event: StoredEvent) -> Iterator[Packet]:
        is_step = event.type in ("progress", "progress_state")
        if self._later and not is_step:
            yield from self._release(event.job)
        yield Packet(frames.event(event))
        if self._later and event.type == "progress":
            yield from self._release(event.job, json.loads(event.text).get("node"))

    def _old_picture(self, frame: Frame) -> Iterator[Packet]:
        """ComfyUI: clients that know no metadata get a step's picture after its progress, not before."""
        job = str(frame.meta.get("prompt_id", ""))
        yield from self._release(job, frame.node)
        self._later[job, frame.node] = frame

    def _release(self, job: str, node: str | None = None) -> Iterator[Packet]:
        """The pictures that waited (of any node, when none is named)."""
        for key in [key for key in self._later if key[0] == job and node in (None, key[1])]:
            frame = self._later.pop(key)
            yield _picture(frame, frames.picture(frame))

    def _both(self, flag: str) -> bool:
        return self._client_flags.get(flag) is True and self._server_flags.get(flag) is True


def lines(item: Sent) -> Iterable[Packet]:
    """What happened, for those who follow a job by server-sent events: messages only, no pictures."""
    if isinstance(item, StoredEvent):
        is_end = item.type == "executing" and json.loads(item.text).get("node") is None
        yield Packet(frames.line(item), is_end=is_end)


def _picture(frame: Frame, data: bytes) -> Packet:
    return Packet(data, is_binary=True, is_optional=not _is_finished(frame))


def _is_finished(frame: Frame) -> bool:
    """A PNG may be somebody's finished picture (SaveImageWebsocket); a JPEG is one of many on the way there."""
    return frame.mime == "image/png"
