"""Real processes that end in every way there is, and what their jobs are told."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.workers.outside.cgroup import OomKills
from engine.workers.outside.contract import End, Limits
from engine.workers.outside.supervisor import Supervisor
from tests.engine.workers.crew import Crew, Ear, crew, script, task, toy, until

pytestmark = pytest.mark.slow

LONG = 3600.0


async def still_works(team: Crew, job: str = "next") -> None:
    """The next job runs as if nothing had happened."""
    assert await team.do(task(job, value=1)) == End("succeeded")


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


@pytest.mark.parametrize("rubbish", [b"hello, world! hello, world!", b"\0" * 64, b"\0\0\0\x03\0\0\0\0{]}"])
def test_rubbish_in_the_pipe_ends_the_worker(rubbish: bytes) -> None:
    text = f"ready(); tell(work('run')); os.write(1, {rubbish!r}); time.sleep({LONG})"

    async def scenario() -> None:
        async with crew(script(text)) as team:
            end = await team.do(task("bad"))
            assert (end.cause, end.is_nodes_fault) == ("crashed", True)
            assert "pipe" in end.message

    asyncio.run(scenario())


def test_json_that_nobody_understands_ends_the_worker() -> None:
    deep = "ready(); tell(work('run')); text = b'[' * 200000; os.write(1, HEAD.pack(len(text), 0) + text); work('x')"
    odd = "ready(); m = work('run'); tell(m); say('event', job=m['job'], event=7); work('x')"

    async def scenario() -> None:
        for text in (deep, odd):
            async with crew(script(text)) as team:
                end = await team.do(task("bad"))
                assert (end.cause, end.is_nodes_fault) == ("crashed", True)

    asyncio.run(scenario())


def test_a_worker_that_closes_its_pipe_and_lives_on_is_ended() -> None:
    text = f"ready(); tell(work('run')); os.close(1); time.sleep({LONG})"

    async def scenario() -> None:
        async with crew(script(text)) as team:
            end = await team.do(task("bad"))
            assert (end.cause, end.is_nodes_fault) == ("crashed", True)
            assert "closed its pipe" in end.message

    asyncio.run(scenario())


def test_everything_written_before_a_death_is_heard_before_the_end() -> None:
    text = "ready(); m = work('run')\nfor n in range(2000): tell(m, text=str(n))\nos.kill(os.getpid(), signal.SIGKILL)"

    class Slow(Ear):
        async def event(self, worker: str, job: str, event: Mapping[str, Any], data: bytes) -> None:
            await asyncio.sleep(0)
            await super().event(worker, job, event, data)

    async def scenario() -> None:
        async with crew(script(text), ear=Slow()) as team:
            end = await team.do(task("short"))
            assert end.cause == "killed"
            assert [event["text"] for _, event in team.ear.events] == [str(n) for n in range(2000)]
            assert team.ear.order == ["event"] * 2000 + ["ended"]

    asyncio.run(scenario())


def test_a_worker_is_not_read_while_its_listener_is_busy(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    text = f"""
ready()
m = work("run")
for n in range(300):
    tell(m, text="x" * 10000)
    open({str(sent)!r}, "w").write(str(n))
say("done", job=m["job"], status="succeeded")
work("stop")
"""
    gate = asyncio.Event()

    class Gated(Ear):
        async def event(self, worker: str, job: str, event: Mapping[str, Any], data: bytes) -> None:
            await gate.wait()
            await super().event(worker, job, event, data)

    def count() -> int:
        return int(sent.read_text() or 0) if sent.exists() else 0

    async def scenario() -> None:
        async with crew(script(text), ear=Gated(), heartbeat=0.5) as team:
            await team.give(task("long"), begun=False)
            await until(lambda: count() > 5)
            before = -1
            while before != count():
                before = count()
                await asyncio.sleep(1.0)
            assert count() < 200  # what fits the pipe and the buffer; and the silence was ours
            gate.set()
            assert await team.end("long") == End("succeeded")
            assert len(team.ear.events) == 300

    asyncio.run(scenario())


def test_nothing_a_worker_forked_survives_it() -> None:
    text = f"""
ready()
m = work("run")
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep({LONG})"])
tell(m, text=str(child.pid))
os._exit(5)
"""

    async def scenario() -> None:
        async with crew(script(text)) as team:
            end = await team.do(task("bad"))
            assert end.cause == "exited"
            pid = int(team.ear.events[0][1]["text"])
            await until(lambda: not is_alive(pid))

    asyncio.run(scenario())


def test_who_holds_the_pipe_of_a_dead_worker_delays_nothing_for_long() -> None:
    text = f"""
ready()
m = work("run")
away = subprocess.Popen([sys.executable, "-c", "import time; time.sleep({LONG})"], start_new_session=True)
tell(m, text=str(away.pid))
os._exit(5)
"""

    async def scenario() -> None:
        async with crew(script(text)) as team:
            end = await team.do(task("bad"))
            assert end.cause == "exited"
            os.kill(int(team.ear.events[0][1]["text"]), signal.SIGKILL)
            await team.idle()

    asyncio.run(scenario())


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


def test_a_worker_that_cannot_start_says_why_and_is_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path, "--fail-start")) as team:
            await until(lambda: team.state.state == "broken")
            assert "told not to start" in team.state.message
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


def test_a_flood_on_stderr_neither_fills_the_log_nor_stops_the_job(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "worker")

    async def scenario() -> None:
        async with crew(toy(tmp_path), heartbeat=5.0) as team:
            assert await team.do(task("loud", "ToyPrint", megabytes=40)) == End("succeeded")
            await until(lambda: any("were left out" in each.message for each in caplog.records))

    asyncio.run(scenario())
    lines = [each for each in caplog.records if each.name == "worker"]
    assert len(lines) < 10_000
    assert max(len(each.message) for each in lines) <= 1000
    assert {(each.__dict__["worker"], each.__dict__["job"]) for each in lines[:100]} == {("worker-0", "loud")}


def test_a_listener_that_fails_is_told_the_rest(tmp_path: Path) -> None:
    class Deaf(Ear):
        async def types(self, worker: str, message: Mapping[str, Any]) -> None:
            raise RuntimeError("not today")

        async def event(self, worker: str, job: str, event: Mapping[str, Any], data: bytes) -> None:
            await super().event(worker, job, event, data)
            raise RuntimeError("not today")

        async def ended(self, worker: str, job: str, end: End) -> None:
            await super().ended(worker, job, end)
            raise RuntimeError("not today")

    async def scenario() -> None:
        async with crew(toy(tmp_path), ear=Deaf()) as team:
            assert await team.do(task("one")) == End("succeeded")
            assert "Finished" in team.ear.kinds("one")
            await still_works(team)

    asyncio.run(scenario())


def test_a_blocked_loop_is_no_silence_of_the_worker(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(toy(tmp_path), heartbeat=1.5) as team:
            await team.give(task("patient", "ToySleep", seconds=5.0))
            time.sleep(3.0)
            assert await team.end("patient") == End("succeeded")

    asyncio.run(scenario())


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
