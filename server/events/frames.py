"""Messages as bytes: JSON frames, binary frames (protocol.md, section 2.2) and lines of server-sent events."""

import json
from typing import Any

from server.jobs.job import Frame, StoredEvent

PREVIEW_IMAGE = 1
TEXT = 3
PREVIEW_IMAGE_WITH_METADATA = 4

JPEG, PNG = 1, 2


def message(type: str, data: Any) -> bytes:
    """A message that has no number."""
    return _json(type, json.dumps(data, default=str))


def binary(event: int, data: bytes) -> bytes:
    """A binary message of any number."""
    return _number(event) + data


def event(stored: StoredEvent) -> bytes:
    """A stored message of a run, with its number behind."""
    return _json(stored.type, stored.text, f', "id": {stored.number}')


def line(stored: StoredEvent) -> bytes:
    """The same as a server-sent event; its data is the message's data alone."""
    return f"id: {stored.number}\nevent: {stored.type}\ndata: {stored.text}\n\n".encode("utf-8", "replace")


def picture(frame: Frame) -> bytes:
    """A preview for clients that did not ask for more: event 1."""
    return _number(PREVIEW_IMAGE) + _number(PNG if frame.mime == "image/png" else JPEG) + frame.data


def picture_with_metadata(frame: Frame) -> bytes:
    """A preview that says what it shows: event 4."""
    meta = json.dumps({**frame.meta, "image_type": frame.mime}).encode()
    return _number(PREVIEW_IMAGE_WITH_METADATA) + _counted(meta) + frame.data


def text(frame: Frame, *, with_prompt: bool) -> bytes:
    """A line of text at a node: event 3, in the newer form with the prompt's id in front."""
    prompt = _counted(str(frame.meta.get("prompt_id", "")).encode("utf-8", "replace")) if with_prompt else b""
    return _number(TEXT) + prompt + _counted(frame.node.encode("utf-8", "replace")) + frame.data


def _json(type: str, data: str, tail: str = "") -> bytes:
    # ComfyUI: "type" comes first, with no more than a space around it; SwarmUI knows JSON by these bytes.
    return f'{{"type": {json.dumps(type)}, "data": {data}{tail}}}'.encode("utf-8", "replace")


def _counted(data: bytes) -> bytes:
    return _number(len(data)) + data


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")
