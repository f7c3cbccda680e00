"""What is only said stands in its place among what is written."""

import asyncio
from pathlib import Path
from typing import Any

from engine.graph.events import Cached, Executing, Started
from server.chronicle import AHEAD, Chronicle
from server.events.hub import Hub
from server.jobs.job import NewJob
from server.jobs.store import Jobs, Retention


class Told(Hub):
    """A hub that notes what it is to publish."""

    def __init__(self, jobs: Jobs) -> None:
        super().__init__(jobs)
        self.order: list[str] = []

    def publish(self, job: str, client_id: str | None, sent: Any) -> None:
        self.order += [each.type for each in sent]


def test_what_is_said_in_between_comes_in_between(tmp_path: Path) -> None:
    async def look() -> list[str]:
        jobs = Jobs(tmp_path / "jobs.sqlite", Retention())
        jobs.open()
        hub = Told(jobs)
        await jobs.submit(NewJob(id="a", prompt={"1": {"class_type": "A"}}, outputs=["1"], created=0))
        chronicle = Chronicle(await jobs.start("a", "worker-0"), jobs, hub, may_give_up=lambda: False)
        chronicle.aside(lambda: hub.order.append("first"))
        await chronicle.tell(Started(), 1.0)
        chronicle.aside(lambda: hub.order.append("second"))
        await chronicle.tell(Cached(()), 1.0)
        chronicle.aside(lambda: hub.order.append("third"))
        chronicle.aside(lambda: hub.order.append("fourth"))
        await chronicle.tell(Executing("1", "1", "A"), 1.0)
        await chronicle.settle()
        chronicle.aside(lambda: hub.order.append("last"))
        await jobs.close()
        return hub.order

    order = asyncio.run(look())
    assert [each for each in order if each != "progress_state"] == [
        "first",
        "execution_start",
        "second",
        "execution_cached",
        "third",
        "fourth",
        "executing",
        "last",
    ]


def test_a_flood_is_cut_where_the_disk_does_not_follow(tmp_path: Path) -> None:
    async def look() -> int:
        jobs = Jobs(tmp_path / "jobs.sqlite", Retention())
        jobs.open()
        hub = Told(jobs)
        await jobs.submit(NewJob(id="a", prompt={}, outputs=[], created=0))
        chronicle = Chronicle(await jobs.start("a", "worker-0"), jobs, hub, may_give_up=lambda: False)
        await chronicle.tell(Started(), 1.0)
        for _ in range(AHEAD * 2):
            chronicle.aside(lambda: hub.order.append("said"))
        await chronicle.settle()
        await jobs.close()
        return hub.order.count("said")

    assert 0 < asyncio.run(look()) <= AHEAD + 1
