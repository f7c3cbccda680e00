"""Who listens to workers in tests, and workers that say what they are told to."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.workers.outside.pool import End, Limits, Listener, Pool, Task, WorkerState

ROOT = Path(__file__).resolve().parents[3]

LINES = f"""
import os, signal, subprocess, sys, time
sys.path.insert(0, {str(ROOT)!r})
from engine.workers.messages import HEAD, frame, lengths, parse

def say(type, data=b"", **rest):
    sys.stdout.buffer.write(frame({{"type": type, **rest}}, data))
    sys.stdout.buffer.flush()

def hear():
    head = sys.stdin.buffer.read(HEAD.size)
    if len(head) < HEAD.size:
        os._exit(0)
    text, data = lengths(head)
    return parse(sys.stdin.buffer.read(text))

def tell(message, **event):
    say("event", job=message["job"], event={{"kind": "Text", "node": "1", "text": "", **event}})

def ready():
    say("hello", pid=os.getpid())
    say("types", types={{}}, system={{"os": "none"}}, devices=[], seconds=0.0)

def work(message):
    while (heard := hear())["type"] != message:
        if heard["type"] == "stop":
            os._exit(0)
    return heard
"""


def script(text: str) -> Sequence[str]:
    """The command of a worker with these lines; it may say, hear, tell (an event), be ready, and wait for work."""
    return [sys.executable, "-c", LINES + text]


def toy(folder: Path, *options: str) -> Sequence[str]:
    """The command of a worker that runs toy nodes."""
    return [sys.executable, str(ROOT / "tests" / "toy_worker.py"), "--base-directory", str(folder), *options]


def task(job: str, class_type: str = "ToyConstant", *, models: Sequence[str] = (), **inputs: Any) -> Task:
    """A task of one toy node whose value is shown."""
    prompt = {
        "1": {"class_type": class_type, "inputs": inputs},
        "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
    }
    return Task(job=job, prompt=prompt, targets=["2"], models=models)


class Ear(Listener):
    """A listener that remembers."""

    def __init__(self) -> None:
        self.ready: list[str] = []
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.pictures: list[bytes] = []
        self.ends: dict[str, End] = {}
        self.order: list[str] = []
        self.freed = 0

    async def types(self, worker: str, message: Mapping[str, Any]) -> None:
        self.ready.append(worker)

    async def event(self, worker: str, job: str, event: Mapping[str, Any], data: bytes) -> None:
        self.events.append((job, event))
        self.pictures += [data] if data else []
        self.order.append("event")

    async def ended(self, worker: str, job: str, end: End) -> None:
        assert job not in self.ends, "a job ends once"
        self.ends[job] = end
        self.order.append("ended")

    def free(self) -> None:
        self.freed += 1

    def kinds(self, job: str) -> list[str]:
        """What happened to a job."""
        return [str(event["kind"]) for each, event in self.events if each == job]


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    """Waits for something to become true, much longer than it should take."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


class Crew:
    """A pool that runs, and its listener."""

    def __init__(self, pool: Pool, ear: Ear) -> None:
        self.pool = pool
        self.ear = ear

    @property
    def state(self) -> WorkerState:
        return self.pool.workers[0]

    async def idle(self) -> str:
        """Waits for a worker without a job."""
        await until(lambda: self.pool.choose([]))
        return self.pool.choose([]) or ""

    async def give(self, task: Task, *, begun: bool = True) -> None:
        """Has a worker run a task, and waits until it has begun."""
        await self.pool.run(await self.idle(), task)
        if begun:
            await until(lambda: self.ear.kinds(task.job) or task.job in self.ear.ends)

    async def end(self, job: str) -> End:
        """Waits for the end of a job."""
        await until(lambda: job in self.ear.ends)
        return self.ear.ends[job]

    async def do(self, task: Task) -> End:
        """Has a worker run a task."""
        await self.give(task, begun=False)
        return await self.end(task.job)


@contextlib.asynccontextmanager
async def crew(command: Sequence[str], *, count: int = 1, ear: Ear | None = None, **limits: Any) -> AsyncIterator[Crew]:
    """A pool of workers with this command, ended afterwards."""
    ear = ear or Ear()
    pool = Pool(lambda index: command, ear, count=count, limits=Limits(**limits))
    await pool.start()
    try:
        yield Crew(pool, ear)
    finally:
        await pool.stop(at_once=True)


async def still_works(team: Crew, job: str = "next") -> None:
    """The next job runs as if nothing had happened."""
    assert await team.do(task(job, value=1)) == End("succeeded")
