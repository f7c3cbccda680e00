"""Several workers: who gets what, and what happens when they are told to stop."""

import asyncio
import gc
import time
from pathlib import Path
from typing import Any

from engine.workers.outside.contract import End
from engine.workers.outside.pool import Pool
from tests.engine.workers.crew import Ear, crew, script, task, toy, until

LONG = 3600.0


def test_starting_waits_for_no_worker(tmp_path: Path) -> None:
    async def scenario() -> None:
        began = time.monotonic()
        async with crew(toy(tmp_path, "--start-delay", "1.5"), count=3) as team:
            assert time.monotonic() - began < 0.1
            assert {each.state for each in team.pool.workers} == {"starting"}
            assert team.pool.choose([]) is None
            assert await team.pool.check({}, None, 5.0) is None
            await until(lambda: len(team.ear.ready) == 3)
            assert sorted(team.ear.ready) == ["worker-0", "worker-1", "worker-2"]

    asyncio.run(scenario())


def test_a_worker_says_what_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path)) as team:
            await team.idle()
            assert team.ear.freed
            state = team.state
            assert (state.name, state.state, state.job, state.restarts, state.message) == (
                "worker-0",
                "idle",
                None,
                0,
                "",
            )
            assert state.memory > 5 << 20
            assert state.devices[0]["name"] == "toy"
            assert "python_version" in state.system
            await team.give(task("long", "ToySleep", seconds=LONG))
            assert (team.state.state, team.state.job) == ("busy", "long")

    asyncio.run(scenario())


def test_each_worker_gets_its_own_command_and_variables() -> None:
    text = 'say("hello", pid=1); say("types", types={}, system={"os": sys.argv[1] + os.environ["MINE"]}); work("x")'

    async def scenario() -> None:
        pool = Pool(
            lambda index: [*script(text), f"argument-{index}-"],
            Ear(),
            count=2,
            environment=lambda index: {"MINE": f"variable-{index}"},
        )
        await pool.start()
        await until(lambda: all(each.state == "idle" for each in pool.workers))
        assert [each.system["os"] for each in pool.workers] == ["argument-0-variable-0", "argument-1-variable-1"]
        await pool.stop(at_once=True)

    asyncio.run(scenario())


def test_jobs_go_where_their_models_are(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path), count=2) as team:
            pool, ear = team.pool, team.ear
            await until(lambda: all(each.state == "idle" for each in pool.workers))

            async def place(job: str, *models: str) -> str:
                worker = pool.choose(models) or ""
                await pool.run(worker, task(job, models=models))
                assert await team.end(job) == End("succeeded")
                await until(lambda: all(each.state == "idle" for each in pool.workers))
                return worker

            assert await place("one", "a.safetensors") == "worker-0"
            assert await place("two", "b.safetensors") == "worker-1"  # nothing is loaded there yet
            assert await place("three", "a.safetensors", "lora") == "worker-0"
            assert await place("four", "b.safetensors") == "worker-1"
            assert await place("five", "c.safetensors") == "worker-1"  # holds one model, the other holds two
            assert await place("six", "a.safetensors", "c.safetensors", "lora") == "worker-0"
            assert len(ear.ends) == 6
            pool.release(unload_models=True, free_memory=False)
            assert pool.choose(["b.safetensors"]) == "worker-0"  # nobody has it any more

    asyncio.run(scenario())


def test_a_worker_that_works_is_not_chosen(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path), count=2) as team:
            await until(lambda: all(each.state == "idle" for each in team.pool.workers))
            await team.pool.run("worker-0", task("one", "ToySleep", seconds=LONG, models=["a"]))
            assert team.pool.choose(["a"]) == "worker-1"
            await team.pool.run("worker-1", task("two", "ToySleep", seconds=LONG))
            assert team.pool.choose(["a"]) is None
            assert team.pool.cancel("two")
            assert await team.end("two") == End("cancelled")
            await until(lambda: team.pool.choose(["a"]) == "worker-1")
            assert "one" not in team.ear.ends

    asyncio.run(scenario())


def test_a_task_for_a_worker_that_is_gone_ends_as_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path)) as team:
            worker = await team.idle()
            life = team.pool._supervisors[worker].life
            assert life
            life.child.kill()
            await team.pool.run(worker, task("first"))  # before anybody has noticed
            end = await team.end("first")
            assert (end.status, end.cause, end.is_nodes_fault) == ("died", "killed", False)
            await team.idle()
            life = team.pool._supervisors[worker].life
            assert life
            life.child.kill()
            await until(lambda: team.state.state != "idle")
            await team.pool.run(worker, task("second"))
            end = await team.end("second")
            assert (end.status, end.cause, end.is_nodes_fault) == ("died", "killed", False)

    asyncio.run(scenario())


def test_an_idle_worker_checks_a_prompt_with_its_authors_functions(tmp_path: Path) -> None:
    prompt = {
        "1": {"class_type": "ToyValidated", "inputs": {"value": 101}},
        "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
    }

    async def scenario() -> None:
        async with crew(toy(tmp_path)) as team:
            await team.idle()
            answer = await team.pool.check(prompt, None, 30.0)
            assert answer["accepted"] is False
            assert "101 is more than 100" in str(answer["node_errors"])
            await team.give(task("long", "ToySleep", seconds=LONG))
            answer = await team.pool.check(prompt, ["2"], 30.0)  # a worker that draws answers as well
            assert answer["accepted"] is False

    asyncio.run(scenario())


def test_no_answer_in_time_is_none_and_a_late_one_is_nobodys(tmp_path: Path) -> None:
    slow = """
ready()
late = work("check")
time.sleep(0.6)
say("answer", call=late["call"], result="late")
say("answer", call="nobody's", result="wrong")
say("answer", call=[1], result="wrong")
wrong = work("check")
say("answer", call=wrong["call"], error="ImportError: no")
right = work("check")
say("answer", call=right["call"], result={"accepted": True})
work("check")
os._exit(1)
"""

    async def scenario() -> None:
        async with crew(script(slow)) as team:
            await team.idle()
            assert await team.pool.check({}, None, 0.1) is None
            assert await team.pool.check({}, None, 30.0) is None
            assert await team.pool.check({}, None, 30.0) == {"accepted": True}
            assert await team.pool.check({}, None, 30.0) is None  # the worker dies over it

    asyncio.run(scenario())


def test_releasing_asks_every_worker() -> None:
    text = """
ready()
m = hear()
say("types", types={}, system={**m}, devices=[])
work("stop")
"""

    async def scenario() -> None:
        async with crew(script(text), count=2) as team:
            await until(lambda: all(each.state == "idle" for each in team.pool.workers))
            team.pool.release(unload_models=True, free_memory=False)
            await until(lambda: all(each.system.get("type") == "free" for each in team.pool.workers))
            assert {each.system["unload_models"] for each in team.pool.workers} == {True}
            assert {each.system["free_memory"] for each in team.pool.workers} == {False}

    asyncio.run(scenario())


def test_stopping_lets_a_job_unwind_and_asks_for_it_to_run_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path), count=2) as team:
            await team.give(task("running", "ToySleep", seconds=LONG))
            await team.pool.stop()
            assert team.ear.ends["running"].cause == "stopped"
            assert not team.ear.ends["running"].is_nodes_fault
            # Nobody is told that the job was cancelled: it was not.
            assert not {"Interrupted", "Finished"} & set(team.ear.kinds("running"))
            assert {each.state for each in team.pool.workers} == {"stopping"}
            assert {each.pid for each in team.pool.workers} == {None}
            assert team.pool.choose([]) is None

    asyncio.run(scenario())


def test_a_job_that_was_cancelled_by_its_user_stays_cancelled_when_the_server_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path)) as team:
            await team.give(task("unwanted", "ToySleep", seconds=LONG))
            team.pool.cancel("unwanted")
            await team.pool.stop()
            assert team.ear.ends["unwanted"] == End("cancelled")

    asyncio.run(scenario())


def test_a_second_call_stops_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path), cancel_grace=LONG) as team:
            await team.give(task("deaf", "ToyStubborn", seconds=LONG))
            stopping = asyncio.create_task(team.pool.stop())
            await asyncio.sleep(0.1)
            assert not stopping.done()
            began = time.monotonic()
            await team.pool.stop(at_once=True)
            await stopping
            assert time.monotonic() - began < 3.0
            assert team.ear.ends["deaf"].cause == "stopped"

    asyncio.run(scenario())


def test_a_deaf_job_delays_stopping_for_seconds_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path)) as team:
            await team.give(task("deaf", "ToyStubborn", seconds=LONG))
            await team.pool.stop()
            assert team.ear.ends["deaf"].cause == "stopped"

    asyncio.run(scenario())


def test_stopping_ends_workers_that_start_or_pause(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path, "--start-delay", str(LONG))) as team:
            await team.pool.stop()
        async with crew(toy(tmp_path, "--start-delay", str(LONG))) as team:
            await until(lambda: team.state.pid)
            await team.pool.stop()
        async with crew([str(tmp_path / "nothing")]) as team:
            await until(lambda: team.state.state == "broken")
            await team.pool.stop()
            assert team.state.state == "stopping"

    asyncio.run(scenario())


def test_a_pool_that_is_dropped_takes_its_processes_along(tmp_path: Path) -> None:
    pids: list[Any] = []

    async def scenario() -> None:
        pool = Pool(lambda index: toy(tmp_path), Ear())
        await pool.start()
        await until(lambda: pool.workers[0].state == "idle")
        pids.append(pool.workers[0].pid)

    asyncio.run(scenario())
    gc.collect()  # where it would be noticed that somebody was left behind
    assert not Path(f"/proc/{pids[0]}/exe").exists()


def test_a_job_that_fails_because_the_server_stops_runs_again() -> None:
    text = """
ready()
m = work("run")
tell(m)
work("cancel")
tell(m, kind="Executed", node="1")
tell(m, kind="Failed", message="interrupted system call")
tell(m, kind="Finished", status="failed")
say("done", job=m["job"], status="failed")
work("stop")
"""

    async def scenario() -> None:
        async with crew(script(text)) as team:
            await team.give(task("running"))
            await team.pool.stop()
            assert team.ear.ends["running"].cause == "stopped"
            assert team.ear.kinds("running") == ["Text", "Executed"]

    asyncio.run(scenario())


def test_a_worker_that_no_longer_listens_is_replaced() -> None:
    async def scenario() -> None:
        async with crew(script("ready(); os.close(0); time.sleep(3600)")) as team:
            worker = await team.idle()
            await team.pool.run(worker, task("lost"))
            end = await team.end("lost")
            assert (end.cause, end.is_nodes_fault) == ("killed", False)

    asyncio.run(scenario())
