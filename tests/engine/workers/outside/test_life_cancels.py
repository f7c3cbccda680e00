"""Jobs that are cancelled, in nodes that listen and in nodes that do not."""

import asyncio
from pathlib import Path

import pytest

from engine.workers.outside.contract import End
from tests.engine.workers.crew import crew, script, still_works, task, toy, until

pytestmark = pytest.mark.slow

LONG = 3600.0


def test_a_cancel_is_heard_within_a_second_by_a_node_that_looks(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path)) as team:
            await team.give(task("long", "ToySleep", seconds=LONG, steps=100_000))
            pid = team.state.pid
            assert team.pool.cancel("long")
            assert await team.end("long") == End("cancelled")
            assert not team.pool.cancel("long")
            await still_works(team)
            assert team.state.pid == pid

    asyncio.run(scenario())


def test_a_node_that_ignores_a_cancel_is_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path), cancel_grace=0.5) as team:
            await team.give(task("deaf", "ToyStubborn", seconds=LONG))
            assert team.pool.cancel("deaf")
            end = await team.end("deaf")
            assert (end.status, end.cause, end.is_nodes_fault) == ("died", "cancelled", False)
            await still_works(team)

    asyncio.run(scenario())


def test_a_node_that_saw_the_cancel_may_unwind_for_longer() -> None:
    text = f"""
ready()
m = work("run")
tell(m)
say("seen", job=m["job"])
work("cancel")
say("seen", job=m["job"])
time.sleep(1.5)
say("done", job=m["job"], status="cancelled")
m = work("run")
tell(m)
work("cancel")
say("seen", job=m["job"])
time.sleep({LONG})
"""

    async def scenario() -> None:
        async with crew(script(text), cancel_grace=0.5, unwinding=4.0) as team:
            await team.give(task("slow"))
            team.pool.cancel("slow")
            assert await team.end("slow") == End("cancelled")
            await team.give(task("slower"))
            team.pool.cancel("slower")
            assert (await team.end("slower")).cause == "cancelled"

    asyncio.run(scenario())


def test_looks_before_a_cancel_are_no_answer_to_it() -> None:
    text = f'ready(); m = work("run"); tell(m); say("seen", job=m["job"]); tell(m); time.sleep({LONG})'

    async def scenario() -> None:
        async with crew(script(text), cancel_grace=0.5, unwinding=LONG) as team:
            await team.give(task("deaf"))
            await until(lambda: len(team.ear.events) == 2)
            team.pool.cancel("deaf")
            assert (await team.end("deaf")).cause == "cancelled"

    asyncio.run(scenario())
