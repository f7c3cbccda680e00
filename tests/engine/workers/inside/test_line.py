"""What code in a worker says to the server, and asks it."""

import os
import threading
from collections.abc import Iterator

import pytest

from engine.workers.inside.channel import Channel
from engine.workers.inside.line import LARGEST, Line, NoAnswer


@pytest.fixture
def ends() -> Iterator[tuple[Line, Channel]]:
    """A line, and the server's end of it."""
    ours, theirs = os.pipe(), os.pipe()
    near, far = Channel(theirs[0], ours[1]), Channel(ours[0], theirs[1])
    yield Line(near), far
    near.close()
    far.close()


def test_messages_are_json_or_bytes(ends: tuple[Line, Channel]) -> None:
    line, server = ends
    line.tell("mine", {"a": float("nan"), "b": {1}}, "me")
    assert server.receive() == ({"type": "tell", "event": "mine", "data": {"a": None, "b": [1]}, "sid": "me"}, b"")
    line.tell(7, b"abc")
    assert server.receive() == ({"type": "tell", "event": 7, "sid": None}, b"abc")
    line.text("words", node="1", job="j", sid="me")
    assert server.receive() == ({"type": "text", "text": "words", "node": "1", "job": "j", "sid": "me"}, b"")
    with pytest.raises(NoAnswer, match="write a file instead"):
        line.tell(7, bytes(LARGEST + 1))


def test_an_answer_finds_who_asked(ends: tuple[Line, Channel]) -> None:
    line, server = ends

    def answer() -> None:
        for _ in range(2):
            asked, _ = server.receive() or ({}, b"")
            kind = {"result": asked["data"] + 1} if asked["what"] == "more" else {"error": "no such thing"}
            line.hear({"type": "given", "call": asked["call"], **kind})

    thread = threading.Thread(target=answer)
    thread.start()
    assert line.ask("more", 41) == 42
    with pytest.raises(NoAnswer, match="less: no such thing"):
        line.ask("less", 1)
    thread.join()
    with pytest.raises(NoAnswer, match=r"did not answer within 0\.05 s"):
        line.ask("more", 1, within=0.05)
    line.hear({"type": "given", "call": 99, "result": "too late"})


def test_who_is_connected_is_known_as_last_heard(ends: tuple[Line, Channel]) -> None:
    line, _ = ends
    assert line.sockets == {}
    line.hear({"type": "sockets", "sockets": {"me": {"flag": True}}})
    assert line.sockets == {"me": {"flag": True}}
    line.hear({"type": "sockets", "sockets": None})
    assert line.sockets == {}
