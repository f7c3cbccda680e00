"""Frames on a real pipe: whole whoever writes, and an end when the other side ends."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from engine.workers.inside.channel import Channel
from engine.workers.messages import BadFrame, frame


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for each in ends:
        with suppress(OSError):
            os.close(each)


@pytest.fixture
def loop(pipe: tuple[int, int]) -> Channel:
    """A channel that hears what it says itself."""
    return Channel(*pipe)


def test_a_message_arrives_with_the_bytes_beside_it(loop: Channel) -> None:
    loop.send({"type": "x", "value": "ü\ud800"}, b"\x00\x01")
    loop.send({"type": "y"})
    assert loop.receive() == ({"type": "x", "value": "ü\ud800"}, b"\x00\x01")
    assert loop.receive() == ({"type": "y"}, b"")


def test_frames_of_many_threads_are_not_mixed_up(loop: Channel) -> None:
    size = 300_000  # more than a pipe takes at once

    def write(number: int) -> None:
        for _ in range(3):
            loop.send({"type": "x", "number": number}, bytes([number]) * size)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for _ in range(12):
        received = loop.receive()
        assert received is not None
        assert received[1] == bytes([received[0]["number"]]) * size
    for each in threads:
        each.join()


@pytest.mark.parametrize("length", [0, 3, 8, 12, -1])
def test_a_frame_cut_in_half_is_the_end(pipe: tuple[int, int], length: int) -> None:
    os.write(pipe[1], frame({"type": "x"}, b"bytes")[:length])
    os.close(pipe[1])
    assert Channel(*pipe).receive() is None


def test_what_is_no_frame_is_refused(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(BadFrame):
        Channel(*pipe).receive()


def test_a_loss_is_raised_or_told(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    told: list[OSError] = []
    channels = Channel(reads, writes), Channel(reads, writes, told.append)
    os.close(reads)
    with pytest.raises(BrokenPipeError):
        channels[0].send({"type": "x"})
    channels[1].send({"type": "x"})
    assert [type(each) for each in told] == [BrokenPipeError]


def test_a_closed_channel_is_silent_and_lets_the_other_side_see_the_end(pipe: tuple[int, int]) -> None:
    copy = os.dup(pipe[0])
    channel = Channel(*pipe)
    channel.close()
    channel.close()
    channel.send({"type": "x"})
    assert os.read(copy, 100) == b""
    os.close(copy)
