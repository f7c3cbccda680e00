"""What comes out of a real process: messages, rubbish, a flood of lines, and who listens to it."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.workers.outside.contract import End
from tests.engine.workers.crew import Ear, crew, script, still_works, task, toy, until

pytestmark = pytest.mark.slow

LONG = 3600.0


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


def test_what_a_node_prints_and_its_death_are_logged_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    text = """
ready()
job = work("run")["job"]
print("before", file=sys.stderr, flush=True)
work("cancel")
say("event", job=job, event={"kind": "Executing", "node": "7", "display_node": "7", "class_type": "Loud"})
work("cancel")
print("within", file=sys.stderr, flush=True)
work("cancel")
os._exit(7)
"""
    caplog.set_level(logging.INFO)

    def logged(words: str) -> list[tuple[Any, ...]]:
        found = [each.__dict__ for each in caplog.records if words in each.message]
        return [tuple(each.get(name) for name in ("worker", "job", "node", "class_type")) for each in found]

    async def scenario() -> None:
        async with crew(script(text), cancel_grace=LONG) as team:
            await team.give(task("loud"), begun=False)
            await until(lambda: logged("before"))
            team.pool.cancel("loud")
            await until(lambda: team.ear.kinds("loud"))
            team.pool.cancel("loud")
            await until(lambda: logged("within"))
            team.pool.cancel("loud")
            await team.end("loud")

    asyncio.run(scenario())
    assert logged("before") == [("worker-0", "loud", None, None)]
    assert logged("within") == [("worker-0", "loud", "7", "Loud")]
    assert logged("is gone") == [("worker-0", "loud", "7", "Loud")]


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
