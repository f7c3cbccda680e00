"""What was acknowledged is there after `kill -9` at any moment."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

from server.jobs.job import State
from tests.server.jobs.opened import opened

ROOT = Path(__file__).resolve().parents[3]
ROUNDS = 5


def killed(folder: Path, lines: int) -> list[tuple[str, str]]:
    """Lets a process work until it has acknowledged so much, then kills it. Returns: all that it acknowledged."""
    command = [sys.executable, "-m", "tests.server.jobs.submitting", str(folder / "jobs.sqlite")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.read().splitlines(keepends=True)
    complete = [line.split() for line in said if line.endswith("\n")]
    return [(kind, value) for kind, value in complete]


def test_nothing_acknowledged_is_lost_and_no_number_comes_twice(tmp_path: Path) -> None:
    moments = random.Random(5)
    numbers: list[int] = []
    said: dict[str, set[str]] = {"job": set(), "shown": set(), "end": set()}

    async def check() -> None:
        async with opened(tmp_path) as jobs:
            events = {each.number for each in await jobs.events(0, limit=1_000_000)}
            assert events.issuperset(numbers)
            assert jobs.last_event == max(events)
            known = {job.id: job for job in await jobs.many(sorted(said["job"]))}
            assert said["job"] == set(known)
            for id in said["end"]:
                assert known[id].state is State.SUCCEEDED
            for id in said["shown"]:
                assert [each.node for each in known[id].shown] == ["2"]
            waiting = {job.id for job in jobs.waiting()}
            assert {id for id, job in known.items() if not job.state.is_end} <= waiting
            assert jobs.running() == []

    for _ in range(ROUNDS):
        highest = max(numbers, default=0)
        for kind, value in killed(tmp_path, moments.randint(1, 300)):
            if kind == "event":
                assert int(value) > highest
                numbers.append(int(value))
            else:
                said[kind].add(value)
        asyncio.run(check())
    assert len(numbers) == len(set(numbers))
