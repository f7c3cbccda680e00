"""What a new process makes of the jobs that the last one left."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from server.jobs.job import NewEvent, State
from server.jobs.store import JobGone, Query
from tests.server.jobs.opened import ids, new, opened, picture, ran, step


def test_what_ran_waits_again_in_its_place(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as jobs:
            for id in "abcd":
                await jobs.submit(new(id, models=["m"]))
            await jobs.submit(new("front", front=True))
            before = jobs.waiting()
            await jobs.start("front", "worker-0")
            await jobs.start("a", "worker-1")
            await jobs.record("a", [], [picture("2")])
        async with opened(tmp_path) as jobs:
            assert [(job.id, job.number, job.sequence) for job in jobs.waiting()] == [
                (job.id, job.number, job.sequence) for job in before
            ]
            assert [job.attempts for job in jobs.waiting()] == [1, 1, 0, 0, 0]
            assert [job.interruptions for job in jobs.waiting()] == [1, 1, 0, 0, 0]
            assert jobs.waiting()[1].models == ["m"]
            assert await jobs.shown("a") == [picture("2")]
            assert (await jobs.start("front", "worker-0")).attempts == 2

    asyncio.run(scenario())


def test_what_was_begun_too_often_has_failed_and_clients_who_resume_see_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, max_attempts=1) as jobs:
            await jobs.submit(new("a"))
            await jobs.submit(new("b"))
            await jobs.start("a", "worker-0")
            await jobs.record("a", [NewEvent("execution_start", {"timestamp": 5}), step("1"), step("2")])
            seen = jobs.last_event
        async with opened(tmp_path, max_attempts=1) as jobs:
            assert ids(jobs.waiting()) == ["b"]
            job = await jobs.get("a")
            assert job is not None
            assert job.error is not None
            assert (job.state, job.cause, job.error["node_id"]) == (State.FAILED, "interrupted", "2")
            assert job.error["executed"] == ["1"]
            assert "ended once" in job.error["exception_message"]
            assert "--max-attempts" in job.error["exception_message"]
            assert (job.attempts, job.interruptions) == (1, 1)
            assert job.messages[0] == ("execution_start", {"timestamp": 5})
            rest = await jobs.events(seen, client="ann")
            assert [each.type for each in rest] == ["execution_error", "executing"]
            assert rest[-1].text == '{"node":null,"prompt_id":"a"}'
            assert rest[-1].number == jobs.last_event
            assert ids(await jobs.history()) == ["a"]

    asyncio.run(scenario())


def test_an_orderly_stop_is_no_interruption_but_the_next_start_knows_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        for attempt in range(1, 5):
            async with opened(tmp_path, max_attempts=2) as jobs:
                await jobs.submit(new("a"))
                job = await jobs.start("a", "worker-0")
                assert (job.attempts, job.interruptions) == (attempt, 0)
                assert await jobs.requeue("a", excused=True) is State.WAITING
                assert jobs.waiting()[0].attempts == attempt

    asyncio.run(scenario())


def test_interruptions_of_all_kinds_are_counted_together(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, max_attempts=3) as jobs:
            await jobs.submit(new("a"))
            await jobs.start("a", "worker-0")
            assert await jobs.requeue("a") is State.WAITING
            await jobs.start("a", "worker-0")
            assert await jobs.requeue("a", excused=True) is State.WAITING
            await jobs.start("a", "worker-0")
        async with opened(tmp_path, max_attempts=3) as jobs:
            assert [(job.attempts, job.interruptions) for job in jobs.waiting()] == [(3, 2)]
            await jobs.start("a", "worker-0")
            assert await jobs.requeue("a") is State.FAILED
            job = await jobs.get("a")
            assert job is not None
            assert job.error is not None
            assert (job.attempts, job.interruptions, job.cause) == (4, 3, "interrupted")
            assert "ended 3 times" in job.error["exception_message"]
            assert jobs.remaining == 0

    asyncio.run(scenario())


def test_numbers_of_events_go_on_even_when_all_events_are_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as jobs:
            await ran(jobs, "a")
            await ran(jobs, "b")
            last = jobs.last_event
            assert sorted(await jobs.forget(None)) == ["a", "b"]
            assert await jobs.events(0) == []
        async with opened(tmp_path) as jobs:
            assert jobs.last_event == last
            assert (await ran(jobs, "c")).sequence == 3
            assert [each.number for each in await jobs.events(0)] == [last + 1]

    asyncio.run(scenario())


def test_the_count_goes_on_from_what_waits(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as jobs:
            for id in "abc":
                await jobs.submit(new(id))
            await jobs.submit(new("first", front=True))
        async with opened(tmp_path) as jobs:
            assert (await jobs.submit(new("d")))[0].number == 4
            await jobs.submit(new("very first", front=True))
            assert ids(jobs.waiting()) == ["very first", "first", "a", "b", "c", "d"]
            await jobs.withdraw(None)
        async with opened(tmp_path) as jobs:
            assert (await jobs.submit(new("e")))[0].number == 0

    asyncio.run(scenario())


def test_a_client_who_comes_back_gets_the_rest_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as jobs:
            for id in "ab":
                await jobs.submit(new(id))
                await jobs.start(id, "worker-0")
            for i in range(10):
                await jobs.record("ab"[i % 2], [step(str(i))])
            heard = [each.number for each in await jobs.events(0, client="ann", limit=4)]
        async with opened(tmp_path) as jobs:
            rest = [each.number for each in await jobs.events(heard[-1], client="ann")]
            assert heard + rest == list(range(1, 11))
            assert await jobs.events(0, client="bob") == []

    asyncio.run(scenario())


@pytest.mark.parametrize("damaged", ["{", "[]", b"no zlib", None])
def test_a_job_that_cannot_be_read_any_more_fails_and_holds_up_nobody(
    tmp_path: Path, damaged: str | bytes | None
) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as jobs:
            await jobs.submit(new("a"))
            await jobs.submit(new("b"))
            damage(tmp_path, "a", damaged)
            for shown in (await jobs.many(["a"]), (await jobs.page(Query()))[0][1:]):
                assert [(job.id, job.prompt, job.client_id) for job in shown] == [("a", {}, "ann")]
            with pytest.raises(JobGone, match=r"cannot be read.*expected an object"):
                await jobs.start("a", "worker-0")
            assert ids([jobs.next()]) == ["b"]
            assert jobs.running() == []
            (job,) = await jobs.history()
            assert job.error is not None
            assert (job.state, job.cause, job.prompt, job.attempts) == (State.FAILED, "unreadable", {}, 0)
            assert "damaged" in job.error["exception_message"]
            assert [kind for kind, _ in job.messages] == ["execution_error"]
            assert [each.type for each in await jobs.events(0, client="ann")] == ["execution_error", "executing"]
            assert (await jobs.start("b", "worker-0")).id == "b"

    asyncio.run(scenario())


def test_a_damaged_job_that_ran_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as jobs:
            await jobs.submit(new("a"))
            await jobs.start("a", "worker-0")
            await jobs.record("a", [step("1")])
        damage(tmp_path, "a", "{")
        async with opened(tmp_path, max_attempts=1) as jobs:
            (job,) = await jobs.history()
            assert job.error is not None
            assert (job.cause, job.error["node_id"], job.error["node_type"]) == ("interrupted", "1", "")

    asyncio.run(scenario())


def damage(folder: Path, job: str, stored: str | bytes | None) -> None:
    """Another program changes the request of a job, or removes it."""
    with closing(sqlite3.connect(folder / "jobs.sqlite", isolation_level=None)) as other:
        of_job = "WHERE job = (SELECT sequence FROM job WHERE id = ?)"
        if stored is None:
            other.execute(f"DELETE FROM request {of_job}", (job,))
        else:
            other.execute(f"UPDATE request SET prompt = ? {of_job}", (stored, job))
