"""What a run tells: written at once, whole, from any thread, and ended as it really ended."""

import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from engine.graph.events import Event, Executed, Executing, Failed, Finished, Interrupted, Preview, Progress, Text
from engine.workers.inside.channel import Channel
from engine.workers.inside.journal import MAX_EVENT, Journal, TooLarge


class Written:
    """A journal, and what comes out at the other end of its pipe."""

    def __init__(self, pipe: tuple[int, int]) -> None:
        self.channel = Channel(*pipe)
        self.journal = Journal("j", self.channel)

    def events(self) -> list[dict[str, Any]]:
        self.channel.send({"type": "that is all"})
        found: list[dict[str, Any]] = []
        while (received := self.channel.receive()) is not None and received[0]["type"] == "event":
            assert received[0]["job"] == "j"
            found.append(received[0]["event"])
        return found

    def kinds(self) -> list[str]:
        return [each["kind"] for each in self.events()]


@pytest.fixture
def written() -> Iterator[Written]:
    pipe = os.pipe()
    yield Written(pipe)
    for each in pipe:
        with suppress(OSError):
            os.close(each)


def tell(written: Written, *events: Event) -> None:
    for each in events:
        written.journal.emit(each)


def test_the_end_is_written_as_the_executor_said_it(written: Written) -> None:
    tell(written, Executing("1", "1", "A"), Interrupted("1", "A"), Finished("cancelled", 2.0))
    assert written.kinds() == ["Executing"]
    written.journal.end("cancelled")
    assert [(each["kind"], each.get("seconds")) for each in written.events()] == [
        ("Interrupted", None),
        ("Finished", 2.0),
    ]


def test_an_end_nobody_told_is_told(written: Written) -> None:
    written.journal.end("succeeded")
    assert written.events()[0]["status"] == "succeeded"


def test_an_exception_that_left_the_executor_becomes_a_failure_of_the_node_that_ran(written: Written) -> None:
    tell(written, Executing("1", "1", "A"), Interrupted("1", "A", ["0"]), Finished("cancelled"))
    written.journal.fail(KeyboardInterrupt())
    told = written.events()
    assert [each["kind"] for each in told] == ["Executing", "Failed", "Finished"]
    assert (told[1]["node"], told[1]["class_type"], told[1]["executed"]) == ("1", "A", ["0"])
    assert told[1]["exception_type"] == "KeyboardInterrupt"
    assert told[2]["status"] == "failed"


def test_a_run_left_by_a_cancel_is_interrupted(written: Written) -> None:
    tell(written, Executing("1", "1", "A"))
    written.journal.cancel()
    told = written.events()
    assert [each["kind"] for each in told] == ["Executing", "Interrupted", "Finished"]
    assert (told[1]["node"], told[2]["status"]) == ("1", "cancelled")


def test_what_comes_after_the_end_is_not_told(written: Written) -> None:
    tell(written, Progress("1", 1, 9), Progress("1", 2, 9))
    written.journal.end("succeeded")
    tell(written, Progress("1", 3, 9), Executed("1", "1"), Finished("failed"))
    written.journal.catch_up()
    told = written.events()
    assert [each.get("value") for each in told] == [1, 2, None]
    assert told[-1]["status"] == "succeeded"


def test_a_step_held_back_is_told_after_a_while(written: Written) -> None:
    tell(written, Progress("1", 1, 9), Progress("1", 2, 9))
    told = written.events()
    while len(told) < 2:
        time.sleep(0.01)
        written.journal.catch_up()
        told += written.events()
    assert [each["value"] for each in told] == [1, 2]


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400])
def test_progress_that_cannot_be_counted_is_not_shown(written: Written, value: float) -> None:
    tell(written, Progress("1", value, 9.5), Progress("1", 1.5, value))
    assert written.events() == []


def test_progress_in_numbers_of_another_library_is_shown(written: Written) -> None:
    import numpy

    tell(written, Progress("1", numpy.float32(0.5), numpy.int64(2)))
    assert [(each["value"], each["maximum"]) for each in written.events()] == [(0.5, 2.0)]


def test_a_node_that_shows_too_much_is_told_so(written: Written) -> None:
    with pytest.raises(TooLarge, match="node 7 shows 67,"):
        tell(written, Executed("7", "7", {"text": ["x" * MAX_EVENT]}))
    tell(written, Preview("7", bytes(MAX_EVENT)), Text("7", "x" * MAX_EVENT))
    assert written.events() == []


def test_a_failure_too_long_to_be_sent_is_cut(written: Written) -> None:
    tell(written, Failed("1", "A", "x" * MAX_EVENT, "ValueError"))
    assert written.events()[0]["message"].endswith("… (67,108,864 characters)")


def test_a_preview_may_come_as_any_kind_of_bytes(written: Written) -> None:
    tell(written, Preview("1", memoryview(b"abc")), Preview("2", bytearray(b"abc")))  # type: ignore[arg-type]
    assert written.kinds() == ["Preview", "Preview"]


def test_several_threads_may_report_at_once(written: Written) -> None:
    def report(node: int) -> None:
        for step in range(200):
            tell(written, Executing(str(node), str(step)), Progress(str(node), step, 200))

    threads = [threading.Thread(target=report, args=(node,)) for node in range(4)]
    for each in threads:
        each.start()
    found: dict[str, list[str]] = {}
    for _ in range(4 * 400):
        received = written.channel.receive()
        assert received is not None
        event = received[0]["event"]
        if event["kind"] == "Executing":
            found.setdefault(event["node"], []).append(event["display_node"])
        if sum(map(len, found.values())) == 800:
            break
    for each in threads:
        each.join()
    assert all(steps == [str(step) for step in range(200)] for steps in found.values())
