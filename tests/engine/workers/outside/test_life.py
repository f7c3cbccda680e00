"""Real processes that end in every way there is, and what their jobs are told."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.workers.outside.contract import End
from tests.engine.workers.crew import crew, script, still_works, task, toy, until

pytestmark = pytest.mark.slow

LONG = 3600.0


@pytest.fixture(autouse=True)
def a_hangup_ends_programs() -> Iterator[None]:
    """Also when these tests run under nohup, whose children ignore it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("class_type", "inputs", "cause", "told"),
    [
        ("ToySegfault", {}, "crashed", "SIGSEGV"),
        ("ToyAbort", {}, "crashed", "SIGABRT"),
        ("ToyExit", {"code": 7}, "exited", "exit code 7"),
        ("ToyExit", {"code": 0}, "exited", "exit code 0"),
        ("ToySpinGil", {}, "unresponsive", "sign of life"),
    ],
)
def test_a_node_that_ends_its_worker_is_named_as_the_cause(
    tmp_path: Path, class_type: str, inputs: dict[str, Any], cause: str, told: str
) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path), heartbeat=3.0) as team:
            end = await team.do(task("bad", class_type, **inputs))
            assert (end.status, end.cause, end.is_nodes_fault) == ("died", cause, True)
            assert told in end.message
            assert team.ear.order[-1] == "ended"
            assert team.ear.kinds("bad")[-1] == "Executing"
            await still_works(team)
            assert team.ear.ready == ["worker-0"] * 2
            assert team.state.restarts == 1

    asyncio.run(scenario())


def test_a_crash_report_names_the_line_that_crashed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path)) as team:
            end = await team.do(task("bad", "ToySegfault"))
            assert "Current thread" in end.message
            assert "in segfault" in end.message

    asyncio.run(scenario())


def test_a_node_that_waits_for_ever_is_stalled(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path), stall=2.0) as team:
            end = await team.do(task("bad", "ToyDeadlock"))
            assert (end.cause, end.is_nodes_fault) == ("stalled", True)
            await still_works(team)

    asyncio.run(scenario())


def test_a_node_that_reports_or_computes_does_not_stall(tmp_path: Path) -> None:
    busy = """
ready()
job = work("run")["job"]
say("event", job=job, event={"kind": "Text", "node": "1", "text": ""})
for second in range(16):
    time.sleep(0.25)
    say("beat", job=job, memory=1, cpu=second * 0.5, looked=None, devices=[])
say("done", job=job, status="succeeded")
work("stop")
"""

    async def scenario() -> None:
        async with crew(script(busy), stall=2.0) as computes, crew(toy(tmp_path), stall=2.0) as looks:
            ends = computes.do(task("one")), looks.do(task("two", "ToySleep", seconds=4.0, steps=1))
            assert await asyncio.gather(*ends) == [End("succeeded")] * 2

    asyncio.run(scenario())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_worker_killed_from_outside_is_not_its_jobs_fault(tmp_path: Path, how: signal.Signals) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path)) as team:
            await team.give(task("innocent", "ToyStubborn", seconds=LONG))
            assert team.state.pid
            assert team.state.state == "busy"
            os.kill(team.state.pid, how)
            end = await team.end("innocent")
            assert (end.status, end.cause, end.is_nodes_fault) == ("died", "killed", False)
            assert how.name in end.message
            await still_works(team)

    asyncio.run(scenario())


def test_a_worker_killed_while_idle_or_starting_is_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path, "--start-delay", "0.3")) as team:
            await until(lambda: team.state.pid)
            assert team.state.state == "starting"
            assert team.state.pid
            os.kill(team.state.pid, signal.SIGKILL)
            await team.idle()
            assert team.state.restarts == 1
            await still_works(team, "one")
            assert team.state.pid
            os.kill(team.state.pid, signal.SIGKILL)
            await until(lambda: team.state.restarts == 2)
            await still_works(team, "two")

    asyncio.run(scenario())


def test_a_worker_that_cannot_start_says_why_and_is_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path, "--fail-start")) as team:
            await until(lambda: team.state.state == "broken")
            assert "told not to start" in team.state.message
            assert "told not to start" in (team.pool.why_none_starts() or "")
            began = time.monotonic()
            await until(lambda: team.state.restarts == 2)
            assert time.monotonic() - began > 1.0  # it pauses for 0.5 s, then for 1 s
            assert "told not to start" in team.state.message
            assert await team.pool.check({}, None, 5.0) is None

    asyncio.run(scenario())


def test_a_worker_that_is_not_there_or_never_ready_is_broken(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew([str(tmp_path / "nothing")]) as team:
            await until(lambda: team.state.state == "broken")
            assert "cannot be started" in team.state.message
        async with crew(toy(tmp_path, "--start-delay", str(LONG)), start=0.5) as team:
            await until(lambda: team.state.state == "broken")
            assert "not ready after 0.5 s" in team.state.message
        async with crew(script("print('no such module', file=sys.stderr); sys.exit(1)")) as team:
            await until(lambda: team.state.state == "broken")
            assert "exit code 1" in team.state.message
            assert "no such module" in team.state.message

    asyncio.run(scenario())
