"""Jobs on a disk for one test, and prompts to put among them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from server.jobs.job import Job, NewEvent, NewJob, Output, State
from server.jobs.store import Jobs, Retention

PATIENCE = 60.0
PROMPT = {"1": {"class_type": "Load", "inputs": {}}, "2": {"class_type": "Save", "inputs": {"image": ["1", 0]}}}


def new(id: str, **values: Any) -> NewJob:
    """A prompt of two nodes."""
    given = {"prompt": PROMPT, "outputs": ["2"], "created": 1000, "digest": "a", "client_id": "ann", **values}
    return NewJob(id=id, **given)


def step(node: str | None, job: str = "") -> NewEvent:
    """The message that a node begins."""
    return NewEvent("executing", {"node": node, "prompt_id": job})


def picture(node: str, name: str = "a.png") -> Output:
    """What a node that saves shows."""
    return Output(node, {"images": [{"filename": name, "type": "temp"}]}, node)


@asynccontextmanager
async def opened(folder: Path, retention: Retention | None = None, **options: Any) -> AsyncIterator[Jobs]:
    """The jobs of a folder."""
    jobs = Jobs(folder / "jobs.sqlite", retention or Retention(), **options)
    jobs.open()
    try:
        yield jobs
    finally:
        await jobs.close()


def run(folder: Path, scenario: Callable[[Jobs], Awaitable[None]], **options: Any) -> None:
    """Lets a scenario have the jobs of a folder."""

    async def whole() -> None:
        async with asyncio.timeout(PATIENCE), opened(folder, **options) as jobs:
            await scenario(jobs)

    asyncio.run(whole())


async def ran(jobs: Jobs, id: str, state: State = State.SUCCEEDED, **values: Any) -> Job:
    """A job that was accepted, ran and ended."""
    await jobs.submit(new(id, **values))
    await jobs.start(id, "worker-0")
    await jobs.finish(id, state, [step(None, id)])
    job = await jobs.get(id)
    assert job is not None
    return job


def ids(jobs: Any) -> list[str]:
    """Their ids, in order."""
    return [job.id for job in jobs]
