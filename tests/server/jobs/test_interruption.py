"""What a new process makes of the jobs that the last one left."""

import asyncio
from pathlib import Path

from server.jobs.job import NewEvent, State
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
