"""Bytes on the wire against section 2.2 of protocol.md."""

import json
import struct

from server.events import frames
from server.jobs.job import Frame, StoredEvent

EVENT = StoredEvent(7, "a", "progress", '{"value": 1, "text": "K\\u00e4se"}', 0, "me")


def test_a_message_is_json_with_its_type_first_and_its_number_last() -> None:
    text = frames.event(EVENT).decode()
    assert text.startswith('{"type": "progress", "data": {')
    assert json.loads(text) == {"type": "progress", "data": {"value": 1, "text": "Käse"}, "id": 7}


def test_a_message_without_a_number_has_none() -> None:
    assert frames.message("status", {"a": [1]}) == b'{"type": "status", "data": {"a": [1]}}'


def test_text_that_is_no_utf8_does_not_break_the_stream() -> None:
    frames.event(StoredEvent(7, "a", "x", '{"text": "\ud800"}', 0, None)).decode()
    frames.line(StoredEvent(7, "a", "x", '{"text": "\ud800"}', 0, None)).decode()


def test_a_line_of_an_event_stream_holds_the_data_alone() -> None:
    assert frames.line(EVENT) == b'id: 7\nevent: progress\ndata: {"value": 1, "text": "K\\u00e4se"}\n\n'


def test_a_picture_says_what_it_is() -> None:
    assert frames.picture(Frame("preview", "1", b"x", "image/jpeg")) == struct.pack(">II", 1, 1) + b"x"
    assert frames.picture(Frame("preview", "1", b"x", "image/png")) == struct.pack(">II", 1, 2) + b"x"


def test_a_picture_with_metadata_has_it_counted_in_front() -> None:
    data = frames.picture_with_metadata(Frame("preview", "1", b"x", "image/png", {"node_id": "1"}))
    event, length = struct.unpack(">II", data[:8])
    assert event == 4
    assert json.loads(data[8 : 8 + length]) == {"node_id": "1", "image_type": "image/png"}
    assert data[8 + length :] == b"x"


def test_a_text_has_its_node_and_for_new_clients_its_prompt_counted_in_front() -> None:
    frame = Frame("text", "ä", b"hello", meta={"prompt_id": "job"})
    node = struct.pack(">I", 2) + "ä".encode()
    assert frames.text(frame, with_prompt=False) == struct.pack(">I", 3) + node + b"hello"
    assert frames.text(frame, with_prompt=True) == struct.pack(">II", 3, 3) + b"job" + node + b"hello"
