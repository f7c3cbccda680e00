"""The heart goes on, whatever happens around it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.workers.inside.channel import Channel
from engine.workers.inside.heart import Heart
from engine.workers.inside.inbox import Inbox


@contextmanager
def two_ends() -> Iterator[tuple[Channel, Channel]]:
    """A worker's channel, and one that hears what it says."""
    there, back = os.pipe(), os.pipe()
    worker, server = Channel(there[0], back[1]), Channel(back[0], there[1])
    try:
        yield worker, server
    finally:
        worker.close()
        server.close()


@pytest.mark.parametrize("fault", [MemoryError, ValueError, SystemExit])
def test_a_fault_between_two_beats_is_told_and_is_not_the_last_of_them(
    capfd: pytest.CaptureFixture[str], fault: type[BaseException]
) -> None:
    faults = [fault("cannot catch up")]

    def catch_up() -> None:
        if faults:
            raise faults.pop()

    with two_ends() as (worker, server):
        Heart(worker, Inbox(), catch_up).start()
        for _ in range(2):
            heard = server.receive()
            assert heard is not None
            assert heard[0]["type"] == "beat"
    assert "cannot catch up" in capfd.readouterr().err
