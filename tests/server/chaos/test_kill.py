"""Server and worker are killed at 50 random moments while a client submits 200 jobs: nothing is lost, nothing doubled.

LATENTWIRE_CHAOS_SEED chooses other moments; the seed is printed.
"""

import asyncio
import json
import os
import random
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from benchmarks.history import fill
from server.jobs.job import Job, State
from server.jobs.store import Jobs, Retention
from tests.server.chaos import slow_saver
from tests.server.chaos.served import PATIENCE, Served

pytestmark = pytest.mark.slow

KILLS = 50
JOBS = 200
AHEAD = 6  # jobs submitted beyond those that the kills so far allow, so that there is always work
HISTORY = 10_000
CLIENT = "chaos"
OUTPUTS = ("3", "6", "9")
PICTURE = "toy_*_.txt"


def prompt(job: int) -> dict[str, Any]:
    """Ten nodes in a chain, three of which save a file; no other job's results fit."""
    nodes: dict[str, Any] = {"0": {"class_type": "ToyConstant", "inputs": {"value": 100 * job}}}
    last = "0"
    for node in range(1, 10):
        name = str(node)
        if name in OUTPUTS:
            nodes[name] = {"class_type": "ToySave", "inputs": {"value": [last, 0]}}
        else:
            nodes[name] = {"class_type": "ToySleep", "inputs": {"value": [last, 0], "seconds": 0.01, "steps": 2}}
            last = name
    return nodes


@dataclass
class Story:
    """What the client and the killer saw."""

    numbers: dict[str, float] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    away: list[float] = field(default_factory=list)
    is_over: bool = False


async def submit(session: aiohttp.ClientSession, server: Served, story: Story, ids: list[str]) -> None:
    """Submits the jobs one after the other, each until it is answered."""
    for index, job in enumerate(ids):
        while index >= len(story.kills) * JOBS // KILLS + AHEAD:
            await asyncio.sleep(0.02)
        body = {"prompt": prompt(index), "prompt_id": job, "client_id": CLIENT}
        while job not in story.numbers:
            try:
                async with session.post(f"{server.address}/prompt", json=body) as answer:
                    told = await answer.json()
                    assert answer.status in (200, 503), told
                    if answer.status == 200:
                        assert told["prompt_id"] == job
                        story.numbers[job] = told["number"]
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.05)


async def follow(session: aiohttp.ClientSession, server: Served, story: Story) -> None:
    """Listens, and after each end of the connection goes on from the last number."""
    while not story.is_over:
        since = story.events[-1]["id"] if story.events else 0
        try:
            async with session.ws_connect(f"{server.address}/ws?clientId={CLIENT}&since={since}") as socket:
                async for message in socket:
                    told = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
                    if "id" in told:
                        story.events.append(told)
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(0.05)


async def kill(server: Served, story: Story, chance: random.Random) -> None:
    """Kills one or the other, at moments that have nothing to do with what they do.

    Twice in three times there has been some work since the last kill, however slow the machine is; else it may come
    while they start.
    """
    while len(story.kills) < KILLS:
        if chance.random() < 0.67:
            await progress(story)
        await asyncio.sleep(chance.uniform(0.0, 0.6))
        if chance.random() < 0.5:
            await kill_worker(server, chance)
            story.kills.append("worker")
        else:
            server.kill()
            server.start()
            story.kills.append("server")


async def progress(story: Story) -> None:
    """Waits until something more has happened to a job, unless all that were submitted may have ended."""
    seen, until = len(story.events), time.monotonic() + 10.0
    while len(story.events) <= seen + 2 and time.monotonic() < until:
        await asyncio.sleep(0.005)


async def kill_worker(server: Served, chance: random.Random) -> None:
    """Kills a worker, waiting for one where the last has just gone."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                alive = [each for each in server.workers() if each.status() != psutil.STATUS_ZOMBIE]
                if alive:
                    chance.choice(alive).kill()
                    return
            except psutil.NoSuchProcess:  # it has gone by itself since
                pass
            await asyncio.sleep(0.005)


async def measure_away(session: aiohttp.ClientSession, server: Served, story: Story) -> None:
    """How long the API did not answer, each time."""
    answered = time.monotonic()
    while not story.is_over:
        try:
            async with session.get(f"{server.address}/prompt") as answer:
                await answer.read()
            if time.monotonic() - answered > 0.3:
                story.away.append(time.monotonic() - answered)
            answered = time.monotonic()
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(0.02)


async def live_through(server: Served, ids: list[str], seed: int) -> Story:
    """Everything at once, until all jobs have ended and the client has heard of it."""
    story = Story()
    timeout = aiohttp.ClientTimeout(total=30, sock_connect=5)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.timeout(900):
        following = asyncio.create_task(follow(session, server, story))
        measuring = asyncio.create_task(measure_away(session, server, story))
        await asyncio.gather(submit(session, server, story, ids), kill(server, story, random.Random(seed)))
        await until_done(session, server, story)
        story.is_over = True
        following.cancel()
        await asyncio.gather(following, measuring, return_exceptions=True)
    return story


async def until_done(session: aiohttp.ClientSession, server: Served, story: Story) -> None:
    deadline = time.monotonic() + 2 * PATIENCE
    remaining, ends = -1, 0
    while remaining != 0 or ends < len(story.numbers):
        assert time.monotonic() < deadline, (remaining, ends, server.log())
        try:
            async with session.get(f"{server.address}/prompt") as answer:
                remaining = (await answer.json())["exec_info"]["queue_remaining"]
        except (aiohttp.ClientError, TimeoutError):
            pass
        ends = sum(each["type"] == "executing" and each["data"]["node"] is None for each in story.events)
        await asyncio.sleep(0.1)


@dataclass
class Outcome:
    """What is there when it is over."""

    story: Story
    jobs: list[Job]
    stored: list[dict[str, Any]]
    files: Counter[tuple[str, str]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    base = tmp_path_factory.mktemp("kill")
    seed = int(os.environ.get("LATENTWIRE_CHAOS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"LATENTWIRE_CHAOS_SEED={seed}")  # noqa: T201 -- whoever sees it fail wants the same moments
    file = base / "user" / "jobs.sqlite"
    file.parent.mkdir()
    fill(file, HISTORY, prompt(0))
    ids = [str(uuid.UUID(int=random.Random(seed + index).getrandbits(128), version=4)) for index in range(JOBS)]
    worker = [sys.executable, str(Path(slow_saver.__file__)), "--base-directory", str(base)]
    server = Served(base, "--max-attempts", "20", worker=worker)
    server.start()
    try:
        story = asyncio.run(live_through(server, ids, seed))
        server.stop()
    finally:
        server.kill()
    jobs, stored = asyncio.run(read(file, ids))
    print(f"away: {sorted(round(each, 2) for each in story.away)}")  # noqa: T201
    return Outcome(story, jobs, stored, count_files(base / "output"))


async def read(file: Path, ids: list[str]) -> tuple[list[Job], list[dict[str, Any]]]:
    """The jobs, and the events of the client, as they are on the disk."""
    jobs = Jobs(file, Retention())
    jobs.open()
    stored: list[dict[str, Any]] = []
    try:
        after = 0
        while page := await jobs.events(after, client=CLIENT):
            stored += [{"type": each.type, "data": json.loads(each.text), "id": each.number} for each in page]
            after = page[-1].number
        return await jobs.many(ids), stored
    finally:
        await jobs.close()


def count_files(folder: Path) -> Counter[tuple[str, str]]:
    """How many pictures each node of each job has on the disk."""
    inside = [json.loads(path.read_text()) for path in folder.rglob(PICTURE)]
    return Counter((each["job"], each["node"]) for each in inside)


def test_both_were_killed(outcome: Outcome) -> None:
    assert len(outcome.story.kills) == KILLS
    assert min(Counter(outcome.story.kills).values()) > KILLS // 5


def test_no_job_is_lost(outcome: Outcome) -> None:
    assert len(outcome.story.numbers) == JOBS
    assert [job.id for job in outcome.jobs if job.state is State.SUCCEEDED] == [*outcome.story.numbers]
    assert any(job.attempts > 1 for job in outcome.jobs), "no job was interrupted: the kills came at the wrong moments"


def test_no_picture_is_there_twice_and_none_is_missing(outcome: Outcome) -> None:
    assert outcome.files == {(job, node): 1 for job in outcome.story.numbers for node in OUTPUTS}


def test_every_job_shows_its_own_pictures(outcome: Outcome) -> None:
    shown = [each["filename"] for job in outcome.jobs for output in job.shown for each in output.ui["images"]]
    assert len(shown) == len(set(shown)) == JOBS * len(OUTPUTS)


def test_an_output_node_that_had_finished_is_not_run_again(outcome: Outcome) -> None:
    finished: set[tuple[str, str]] = set()
    for event in outcome.story.events:
        data = event["data"]
        node = (data.get("prompt_id"), data.get("node"))
        if event["type"] == "executing" and node[1] is not None:
            assert node not in finished, event
        if event["type"] == "executed":
            assert node not in finished, event
            finished.add(node)
    assert len(finished) == JOBS * len(OUTPUTS)


def test_jobs_begin_in_their_order(outcome: Outcome) -> None:
    starts: dict[str, float] = {}
    for event in outcome.story.events:
        if event["type"] == "execution_start":
            starts.setdefault(event["data"]["prompt_id"], outcome.story.numbers[event["data"]["prompt_id"]])
    assert len(starts) == JOBS
    assert [*starts.values()] == sorted(starts.values())


def test_every_job_has_exactly_one_end_mark(outcome: Outcome) -> None:
    ends = Counter(
        event["data"]["prompt_id"]
        for event in outcome.story.events
        if event["type"] == "executing" and event["data"]["node"] is None
    )
    assert ends == dict.fromkeys(outcome.story.numbers, 1)


def test_a_client_that_resumes_has_every_event_once_and_in_order(outcome: Outcome) -> None:
    received = outcome.story.events
    numbers = [event["id"] for event in received]
    assert numbers == sorted(set(numbers))
    by_number = {event["id"]: event for event in received}
    # Progress is removed some time after a job has ended; everything else stays with it.
    stored = {event["id"]: event for event in outcome.stored}
    assert {number: by_number.get(number) for number in stored} == stored
    assert {by_number[number]["type"] for number in by_number.keys() - stored.keys()} <= {"progress", "progress_state"}


def test_the_api_is_soon_back(outcome: Outcome) -> None:
    # The goal is 2 s; here other tests may keep the machine busy. benchmarks/server.py measures it.
    assert max(outcome.story.away, default=0.0) < 30.0
