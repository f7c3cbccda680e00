"""A process that submits and runs jobs until it is killed, and prints what was acknowledged: a child of a test.

Lines: `job <id>` when a job was accepted, `event <number>` and `shown <job>` when they were recorded, `end <id>`.
"""

import asyncio
import sys
import uuid
from pathlib import Path

from server.jobs.job import State
from server.jobs.store import Jobs, Retention
from tests.server.jobs.opened import new, picture, step


def say(text: str) -> None:
    """Tells the test."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def submit(jobs: Jobs) -> None:
    """Accepts jobs for ever."""
    while True:
        brief, _ = await jobs.submit(new(str(uuid.uuid4()), extra_data={"text": "x" * 3000}))
        say(f"job {brief.id}")


async def work(jobs: Jobs) -> None:
    """Runs jobs for ever."""
    while True:
        brief = jobs.next()
        if brief is None:
            await asyncio.sleep(0.001)
            continue
        job = await jobs.start(brief.id, "worker-0")
        for sent in await jobs.record(job.id, [step("1", job.id), step("2", job.id)], [picture("2")]):
            say(f"event {sent.number}")
        say(f"shown {job.id}")
        await jobs.finish(job.id, State.SUCCEEDED, [step(None, job.id)])
        say(f"end {job.id}")


async def main(file: Path) -> None:
    """Does both at once."""
    jobs = Jobs(file, Retention())
    jobs.open()
    await asyncio.gather(*[submit(jobs) for _ in range(8)], work(jobs), work(jobs))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
