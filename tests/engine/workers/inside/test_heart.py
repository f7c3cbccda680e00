"""The heart goes on, whatever happens around it."""

import os
import subprocess
import sys
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


def test_programs_that_an_import_has_started_count_as_computing() -> None:
    busy = "import sys, time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\nsys.stdin.read()"
    with two_ends() as (worker, _):
        heart = Heart(worker, Inbox(), lambda: None)
        with subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            with_it = heart._beat()["cpu"]
            heart.is_importing = False
            without = heart._beat()["cpu"]
            child.communicate(b"")
    assert with_it - without > 0.4
