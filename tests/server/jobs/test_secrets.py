"""What a client sends along for the nodes only: there while the job needs it, gone from the disk when it has ended."""

import asyncio
from pathlib import Path

import pytest

from server.jobs.job import NewJob, State
from server.jobs.store import Jobs, Retention

EXTRA = {"auth_token_comfy_org": "very-secret", "more": 1}


def new(id: str) -> NewJob:
    return NewJob(id=id, prompt={"1": {"class_type": "A", "inputs": {}}}, outputs=["1"], created=0, extra_data=EXTRA)


def traces(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if b"very-secret" in each.read_bytes()]


def test_a_job_that_runs_has_its_secrets_and_nobody_else_sees_them(tmp_path: Path) -> None:
    async def look() -> None:
        jobs = Jobs(tmp_path / "jobs.sqlite", Retention())
        jobs.open()
        await jobs.submit(new("a"))
        waiting = await jobs.get("a")
        assert waiting is not None
        assert waiting.extra_data == {"more": 1}
        assert (await jobs.start("a", "worker-0")).extra_data == EXTRA
        await jobs.close()

        jobs = Jobs(tmp_path / "jobs.sqlite", Retention())  # after a crash the job has them still
        jobs.open()
        assert (await jobs.start("a", "worker-0")).extra_data == EXTRA
        await jobs.finish("a", State.SUCCEEDED, [])
        await jobs.close()

    asyncio.run(look())
    assert traces(tmp_path) == []


@pytest.mark.parametrize("id", ["withdrawn", "failed"])
def test_they_go_however_the_job_ends(tmp_path: Path, id: str) -> None:
    async def look() -> None:
        jobs = Jobs(tmp_path / "jobs.sqlite", Retention())
        jobs.open()
        await jobs.submit(new(id))
        if id == "withdrawn":
            await jobs.withdraw([id])
        else:
            await jobs.start(id, "worker-0")
            await jobs.finish(id, State.FAILED, [], cause="node_error")
        await jobs.close()

    asyncio.run(look())
    assert traces(tmp_path) == []
