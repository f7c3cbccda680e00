"""Workers that grow: asked to free memory, replaced between jobs, ended at once."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from engine.workers.outside.cgroup import OomKills
from engine.workers.outside.contract import Limits
from engine.workers.outside.supervisor import Supervisor
from tests.engine.workers.crew import Ear, crew, script, still_works, task, toy, until

pytestmark = pytest.mark.slow

LONG = 3600.0


def test_a_worker_that_grows_beyond_the_limit_is_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path), memory_limit=300 << 20) as team:
            end = await team.do(task("bad", "ToyLeak"))
            assert (end.cause, end.is_nodes_fault) == ("out_of_memory", True)
            assert "--worker-memory-limit" in end.message
            await still_works(team)

    asyncio.run(scenario())


def test_a_large_worker_that_somebody_kills_was_killed_for_its_size(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path), memory_limit=1000 << 20) as team:
            await team.give(task("bad", "ToyLeak", megabytes_per_second=300, limit_megabytes=900))
            await until(lambda: team.state.memory > 820 << 20)
            assert team.state.pid
            os.kill(team.state.pid, signal.SIGKILL)
            end = await team.end("bad")
            assert (end.cause, end.is_nodes_fault) == ("out_of_memory", True)
            assert "memory ran out" in end.message

    asyncio.run(scenario())


def test_a_worker_the_system_counts_as_out_of_memory_was_killed_for_that(tmp_path: Path) -> None:
    counted = [3]

    async def scenario() -> None:
        ear = Ear()
        kills = OomKills(lambda: counted[0])
        command = toy(tmp_path)
        worker = Supervisor("worker-0", lambda: command, dict, ear, Limits(), kills)
        worker.start()
        for job in ("counted", "explained"):
            await until(lambda: worker.is_idle)
            worker.run(task(job, "ToyStubborn", seconds=LONG))
            await until(lambda job=job: ear.kinds(job))
            counted[0] = 4
            os.kill(worker.state.pid or 0, signal.SIGKILL)
            await until(lambda job=job: job in ear.ends)
        await worker.stop(at_once=True)
        assert (ear.ends["counted"].cause, ear.ends["counted"].is_nodes_fault) == ("out_of_memory", True)
        assert "the system counts it" in ear.ends["counted"].message
        assert ear.ends["explained"].cause == "killed"  # one count is one death

    asyncio.run(scenario())


GROWING = """
ready()
held = []
while True:
    m = hear()
    if m["type"] == "run":
        tell(m)
        held.append(b"x" * (100 << 20))
        say("done", job=m["job"], status="succeeded")
    elif m["type"] == "free" and MAY_FREE:
        held.clear()
    elif m["type"] == "stop":
        os._exit(0)
"""


def test_a_worker_too_large_between_jobs_is_asked_to_free_memory() -> None:
    async def scenario() -> None:
        async with crew(script("MAY_FREE = True\n" + GROWING), memory=90 << 20) as team:
            await team.do(task("one"))
            pid = team.state.pid
            await team.do(task("two"))
            assert (team.state.pid, team.state.restarts) == (pid, 0)

    asyncio.run(scenario())


def test_a_worker_too_large_that_frees_nothing_is_replaced_before_the_next_job() -> None:
    async def scenario() -> None:
        async with crew(script("MAY_FREE = False\n" + GROWING), memory=90 << 20) as team:
            await team.do(task("one"))
            assert team.pool.choose([]) is None
            assert team.state.state == "stopping"
            await team.do(task("two"))
            assert team.state.restarts == 1
            assert [end.status for end in team.ear.ends.values()] == ["succeeded"] * 2

    asyncio.run(scenario())


def test_a_worker_that_is_too_large_from_the_start_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with crew(script("MAY_FREE = False\n" + GROWING), memory=1 << 20) as team:
            await team.do(task("one"))
            await team.do(task("two"))
            assert team.state.restarts == 0

    asyncio.run(scenario())
    assert sum("it is kept" in each.message for each in caplog.records) == 1
