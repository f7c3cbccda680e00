import asyncio
import sqlite3
from pathlib import Path

from server.jobs import retention
from server.jobs.job import NewEvent, State
from server.jobs.store import Jobs, Query, Retention
from tests.server.jobs.opened import ids, new, opened, picture, ran, run, step

HOUR = 3600.0


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


async def told(jobs: Jobs, id: str) -> None:
    """A job that left something of everything."""
    await jobs.submit(new(id))
    await jobs.start(id, "worker-0")
    news = [step("2"), NewEvent("progress", {"value": 1}), NewEvent("progress_state", {"nodes": {}})]
    await jobs.record(id, news, [picture("2", f"{id}.png")])
    await jobs.finish(id, State.SUCCEEDED, [step(None)], messages=[("execution_start", {})])


def test_the_oldest_beyond_the_count_go_with_all_that_belongs_to_them(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("waits"))
        for i in range(30):
            await told(jobs, str(i))
        gone = await jobs.prune()
        assert sorted(ids(gone), key=int) == [str(i) for i in range(25)]
        assert gone[0].shown == [picture("2", f"{gone[0].id}.png")]
        assert ids(await jobs.history()) == ["25", "26", "27", "28", "29"]
        assert {each.job for each in await jobs.events(0)} == {"25", "26", "27", "28", "29"}
        assert await jobs.shown("0") == []
        assert await jobs.prune() == []
        assert (await jobs.submit(new("0")))[1], "a forgotten id is free again"

    run(tmp_path, scenario, retention=Retention(jobs=5))
    connection = sqlite3.connect(tmp_path / "jobs.sqlite")
    counts = {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("job", "request", "ending", "output", "event")
    }
    connection.close()
    assert counts == {"job": 7, "request": 7, "ending": 5, "output": 5, "event": 20}


def test_jobs_go_when_they_are_old_enough(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(jobs: Jobs) -> None:
        await ran(jobs, "old")
        clock.now += 30 * HOUR
        await ran(jobs, "young")
        await jobs.submit(new("waits"))
        assert await jobs.prune() == []
        clock.now += 20 * HOUR
        assert ids(await jobs.prune()) == ["old"]
        clock.now += 1000 * HOUR
        assert ids(await jobs.prune()) == ["young"]
        assert ids(jobs.waiting()) == ["waits"]

    run(tmp_path, scenario, retention=Retention(jobs=0, days=2), clock=clock)


def test_without_limits_nothing_goes(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(jobs: Jobs) -> None:
        await ran(jobs, "a")
        clock.now += 100_000 * HOUR
        assert await jobs.prune() == []

    run(tmp_path, scenario, retention=Retention(jobs=0, days=0), clock=clock)


def test_progress_goes_an_hour_after_the_end_and_what_happened_stays(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario() -> None:
        async with opened(tmp_path, clock=clock) as jobs:
            for i in range(2 * retention.STEP + 1):
                await told(jobs, str(i))
            clock.now += 0.9 * HOUR
            await told(jobs, "fresh")
            await jobs.submit(new("runs"))
            await jobs.start("runs", "worker-0")
            await jobs.record("runs", [NewEvent("progress", {})])
            await jobs.prune()
            assert len(await jobs.events(0, job="0")) == 4
            clock.now += 0.2 * HOUR
            await jobs.prune()
            for i in range(2 * retention.STEP + 1):
                assert [each.type for each in await jobs.events(0, job=str(i))] == ["executing", "executing"]
            assert len(await jobs.events(0, job="fresh")) == 4
            clock.now += HOUR
        async with opened(tmp_path, clock=clock) as jobs:
            await jobs.prune()
            assert len(await jobs.events(0, job="fresh")) == 2
            assert len(await jobs.events(0, job="runs")) == 1

    asyncio.run(scenario())


def test_the_file_shrinks_when_most_of_it_is_free(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"

    async def scenario() -> None:
        text = "".join(chr(0x4E00 + i * i % 20_000) for i in range(20_000))
        async with opened(tmp_path) as jobs:
            await asyncio.gather(*[jobs.submit(new(str(i), extra_data={"text": text})) for i in range(60)])
            await jobs.withdraw(None)
        full = file.stat().st_size
        async with opened(tmp_path) as jobs:
            await jobs.forget(None)
            await jobs.prune()
        assert file.stat().st_size < full / 2

    asyncio.run(scenario())


def test_only_what_has_ended_is_forgotten(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("waits"))
        await jobs.submit(new("runs"))
        await jobs.start("runs", "worker-0")
        for id in "abc":
            await ran(jobs, id)
        assert await jobs.forget(["a", "waits", "runs", "unknown"]) == ["a"]
        assert sorted(await jobs.forget(None)) == ["b", "c"]
        jobs_left, total = await jobs.page(Query())
        assert (sorted(ids(jobs_left)), total) == (["runs", "waits"], 2)

    run(tmp_path, scenario)
