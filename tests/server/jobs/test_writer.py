"""What many write at once, and what a disk that fails does to them."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.errors import PathError
from server.jobs import schema
from server.jobs.job import State, StoredEvent
from server.jobs.store import Jobs, NotStored, Retention
from server.jobs.writer import MOST, Writer
from server.jobs.writes import Write
from tests.server.jobs.opened import PATIENCE, ids, new, opened, picture, run, step

resource = pytest.importorskip("resource", reason="only systems of the Unix family limit the size of files")


@contextmanager
def a_full_disk(folder: Path) -> Iterator[None]:
    """Nothing that this process writes beyond the present end of the log arrives."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / "jobs.sqlite-wal").stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_refuses_clearly_and_takes_jobs_again_when_it_is_not(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a"))
        await jobs.submit(new("b"))
        await jobs.start("b", "worker-0")
        with a_full_disk(tmp_path):
            answers = await asyncio.gather(
                *[jobs.submit(new(str(i), extra_data={"x": "y" * 4000})) for i in range(20)],
                jobs.start("a", "worker-0"),
                jobs.finish("b", State.SUCCEEDED, [step(None)]),
                jobs.withdraw(["a"]),
                return_exceptions=True,
            )
            assert all(isinstance(each, NotStored) for each in answers[:-1]), answers
            assert "cannot be written" in str(answers[0])
            assert answers[-1] == []
            assert (ids(jobs.waiting()), ids(jobs.running())) == (["a"], ["b"])
            assert jobs.last_event == 0
            assert ids([await jobs.get("a")]) == ["a"]
        assert (await jobs.submit(new("0", extra_data={"x": "y" * 4000})))[1]
        assert await jobs.finish("b", State.SUCCEEDED, [step(None)])
        assert ids([jobs.next()]) == ["a"]
        await jobs.start("a", "worker-0")
        assert ids(jobs.waiting()) == ["0"]

    run(tmp_path, scenario)


def test_news_that_cannot_be_written_says_so_to_whoever_waits(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a"))
        await jobs.start("a", "worker-0")
        with a_full_disk(tmp_path), pytest.raises(NotStored):
            await jobs.record("a", [step("1" * 5000)], [picture("2")])
        await jobs.record("a", [step("2")])
        assert [each.text for each in await jobs.events(0)] == ['{"node":"2","prompt_id":""}']
        assert await jobs.shown("a") == []

    run(tmp_path, scenario)


def test_news_that_was_refused_can_be_told_again_in_its_order(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a"))
        await jobs.submit(new("b"))
        await jobs.start("a", "worker-0")
        await jobs.start("b", "worker-1")
        heard = [each.number for each in await jobs.record("b", [step("0")]) if isinstance(each, StoredEvent)]
        first, second = [step("1" * 5000), step("2")], [step("3")]
        for _ in range(3):
            with a_full_disk(tmp_path), pytest.raises(NotStored):
                await jobs.record("a", first, [picture("2")])
        # Another job's news may overtake what was refused, not what its own job tells after it.
        for job, items in (("b", second), ("a", first), ("a", second)):
            sent = await jobs.record(job, items)
            heard += [each.number for each in sent if isinstance(each, StoredEvent)]
        end = await jobs.finish("a", State.SUCCEEDED, [step(None)])
        heard += [each.number for each in end if isinstance(each, StoredEvent)]
        assert heard == sorted(set(heard))
        assert jobs.last_event == heard[-1]
        assert [each.number for each in await jobs.events(0)] == heard
        assert [each.number for each in await jobs.events(0, client="ann")] == heard
        told = [json.loads(each.text)["node"] for each in await jobs.events(0, job="a")]
        assert told == ["1" * 5000, "2", "3", None]
        assert await jobs.shown("a") == []

    run(tmp_path, scenario)


def writes(connection: sqlite3.Connection, file: Path, operations: list[Write]) -> list[Any]:
    """What becomes of operations that arrive at once."""

    async def whole() -> list[Any]:
        writer = Writer(connection, file)
        waiting = [each.wait() for each in operations]
        for each in operations:
            writer.put(each)
        writer.start()
        async with asyncio.timeout(PATIENCE):
            answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert await asyncio.to_thread(writer.stop, PATIENCE)
        return answers

    return asyncio.run(whole())


def test_one_that_fails_does_not_spoil_the_others(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    connection = schema.open_to_write(file)
    event = (1, 1, "executing", "{}", 0)
    answers = writes(
        connection,
        file,
        [
            Write(events=[event], result="first"),
            Write(events=[event], result="twice"),
            Write(outputs=[(1, "\ud800")], result="no text"),
            Write(run=lambda _: 1 // 0),
            Write(result="empty"),
            Write(run=lambda connection: connection.execute("SELECT count(*) FROM event").fetchone()[0]),
        ],
    )
    assert (answers[0], answers[4], answers[5]) == ("first", "empty", 1)
    assert isinstance(answers[1], NotStored)
    assert isinstance(answers[2], NotStored)
    assert isinstance(answers[3], ZeroDivisionError)
    connection.close()


def test_more_than_one_transaction_takes_are_all_written_in_order(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    connection = schema.open_to_write(file)
    count = 2 * MOST + 5
    operations = [Write(outputs=[(1, str(i))], result=i) for i in range(count)]
    assert writes(connection, file, operations) == list(range(count))
    found = connection.execute("SELECT data FROM output ORDER BY position")
    assert [int(data) for (data,) in found] == list(range(count))
    connection.close()


def test_whoever_reads_does_not_wait_for_whoever_writes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as jobs:
            await jobs.submit(new("a"))
            other = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")  # the writer has to wait for that, readers need not
            late = asyncio.create_task(jobs.submit(new("b")))
            assert ids([await jobs.get("a")]) == ["a"]
            assert not late.done()
            other.execute("ROLLBACK")
            other.close()
            await late

    asyncio.run(scenario())


def test_a_disk_without_room_is_told_from_one_that_is_broken(tmp_path: Path) -> None:
    connection = schema.open_to_write(tmp_path / "jobs.sqlite")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    operations = [Write(outputs=[(1, "x" * 10_000)]), Write(outputs=[(1, "small")], result="fits")]
    full, also = writes(connection, tmp_path / "jobs.sqlite", operations)
    assert isinstance(full, NotStored)
    assert (full.status, "free some space" in str(full)) == (507, True)
    assert isinstance(also, NotStored)  # nobody tries whether some would still fit
    assert writes(connection, tmp_path / "jobs.sqlite", [Write(outputs=[(1, "small")], result="fits")]) == ["fits"]
    connection.close()


@contextmanager
def a_file_in_other_hands(folder: Path) -> Iterator[None]:
    """Another program writes to the jobs, and takes its time."""
    other = sqlite3.connect(folder / "jobs.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_file_that_another_program_holds_is_waited_for_once_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.jobs.schema.BUSY", 1.0)
    connection = schema.open_to_write(tmp_path / "jobs.sqlite")
    tries: list[str] = []
    connection.set_trace_callback(tries.append)
    with a_file_in_other_hands(tmp_path):
        operations = [Write(outputs=[(1, str(i))]) for i in range(100)] + [Write(result="nothing to write")]
        *refused, empty = writes(connection, tmp_path / "jobs.sqlite", operations)
    assert all(isinstance(each, NotStored) and "locked" in str(each) for each in refused)
    assert empty == "nothing to write"
    assert tries == ["BEGIN IMMEDIATE"]
    connection.close()


def test_a_file_that_another_program_holds_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.jobs.schema.BUSY", 1.0)

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE), opened(tmp_path) as jobs:
            tries: list[str] = []
            jobs._connection.set_trace_callback(tries.append)
            with a_file_in_other_hands(tmp_path):
                late = [asyncio.create_task(jobs.submit(new(str(i)))) for i in range(3 * MOST)]
                await asyncio.sleep(0)
                await jobs.close()
                answers = await asyncio.gather(*late, return_exceptions=True)
            assert all(isinstance(each, NotStored) for each in answers)
            assert len(tries) <= 2  # 1 where all were put before the first was refused
        async with opened(tmp_path) as jobs:
            assert jobs.remaining == 0

    asyncio.run(scenario())


def test_a_disk_that_never_answers_is_left_behind_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.jobs.store.CLOSING", 0.5)

    async def scenario() -> None:
        answers = threading.Event()
        async with asyncio.timeout(PATIENCE), opened(tmp_path) as jobs:
            stuck = jobs._put(Write(run=lambda _: answers.wait()))
            await jobs.close()
            assert not stuck.done()
            with pytest.raises(PathError, match="open"):
                Jobs(tmp_path / "jobs.sqlite", Retention()).open()
            answers.set()
            assert await stuck

    asyncio.run(scenario())
