"""Frames and events: what goes in comes out, and what is no frame is refused."""

import json
import math
from fractions import Fraction
from typing import Any

import pytest

from engine.graph import events
from engine.graph.events import Event, Executed, Failed, Preview, Progress, Text
from engine.workers.messages import HEAD, MAX_FRAME, BadFrame, frame, lengths, pack, parse, unpack

EVERY_KIND: list[Event] = [
    events.Started(["1", "2"]),
    events.Cached(["1"]),
    events.Executing("1.0.0.2", "1", "KSampler", "1"),
    Progress("1", 3, 20.5),
    Preview("1", b"\xff\xd8\x00", "image/png"),
    Text("1", "a line, and \ud800"),
    Executed("1", "1", {"images": [{"filename": "ü.png"}]}, 0.25, True),
    Failed("1", "KSampler", "no", "ValueError", ["a\n"], {"seed": [1]}, ["0"], True),
    events.Interrupted(None, executed=["1"]),
    events.Finished("succeeded", 1.5),
]


def across(event: Event) -> Event:
    """The event after its way through a pipe."""
    packed, data = pack(event)
    whole = frame({"type": "event", "event": packed}, data)
    text, beside = lengths(whole[: HEAD.size])
    message = parse(whole[HEAD.size : HEAD.size + text])
    assert len(whole) == HEAD.size + text + beside
    return unpack(message["event"], whole[HEAD.size + text :])


@pytest.mark.parametrize("event", EVERY_KIND, ids=lambda each: type(each).__name__)
def test_an_event_crosses_the_pipe_unchanged(event: Event) -> None:
    assert across(event) == event


def test_every_kind_of_event_there_is_can_cross() -> None:
    assert {type(each) for each in EVERY_KIND} == set(events.Event.__args__)


class Odd:
    def __str__(self) -> str:
        return "odd"


class Rude:
    def __str__(self) -> str:
        raise RuntimeError("no")


class Name(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "another"


@pytest.mark.parametrize(
    ("shown", "arrived"),
    [
        (math.nan, None),
        ([math.inf, -math.inf, 1.5], [None, None, 1.5]),
        ((1, (2, {3})), [1, [2, [3]]]),
        ({1: {None: True}}, {"1": {"None": True}}),
        (Odd(), "odd"),
        (Rude(), "<Rude>"),
        (Name("file.png"), "file.png"),
        ("\udcff", "\udcff"),
        (b"bytes", "b'bytes'"),
        (Fraction(1, 2), 0.5),
        (2**70, 2**70),
    ],
)
def test_what_json_does_not_know_is_shown_all_the_same(shown: Any, arrived: Any) -> None:
    event = across(Executed("1", "1", {"it": [shown]}))
    assert isinstance(event, Executed)
    assert event.ui == {"it": [arrived]}


def test_numbers_of_other_libraries_stay_numbers() -> None:
    import numpy

    event = across(Executed("1", "1", {"it": [numpy.int64(3), numpy.float32(0.5), numpy.float64(math.nan)]}))
    assert isinstance(event, Executed)
    assert event.ui == {"it": [3, 0.5, None]}


def test_a_list_inside_itself_ends_somewhere() -> None:
    ring: list[Any] = []
    ring.append(ring)
    event = across(Executed("1", "1", {"it": ring}))
    assert len(json.dumps(event.ui)) < 10_000  # type: ignore[union-attr]


def test_a_prompt_keeps_the_numbers_that_strict_json_lacks() -> None:
    whole = frame({"type": "run", "prompt": {"1": {"inputs": {"x": math.nan}}}})
    assert math.isnan(parse(whole[HEAD.size :])["prompt"]["1"]["inputs"]["x"])


@pytest.mark.parametrize("head", [HEAD.pack(MAX_FRAME, 1), HEAD.pack(1, 0), HEAD.pack(2, MAX_FRAME), b"HTTP/1.1"])
def test_lengths_nobody_would_send_are_refused(head: bytes) -> None:
    with pytest.raises(BadFrame, match="expected a frame"):
        lengths(head)


@pytest.mark.parametrize(
    "text", [b"{}", b"[]", b"nul", b'{"type": 5}', b"\xff\xfe", b'{"type": "x"', b"[" * 100_000, b'{"type": "x"}}']
)
def test_json_that_is_no_message_is_refused(text: bytes) -> None:
    with pytest.raises(BadFrame):
        parse(text)


@pytest.mark.parametrize(
    "packed",
    [
        {},
        {"kind": "Nothing"},
        {"kind": "Progress", "node": "1"},
        {"kind": "Progress", "node": "1", "value": 1, "maximum": 2, "more": 3},
        {"kind": []},
    ],
)
def test_an_event_nobody_knows_is_refused(packed: dict[str, Any]) -> None:
    with pytest.raises(BadFrame):
        unpack(packed)
