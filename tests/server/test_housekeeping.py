"""What old jobs leave behind."""

import asyncio
from pathlib import Path
from typing import Any

from engine.folders import Folders
from server.housekeeping import Housekeeping
from server.jobs.job import NewJob, Output, State
from server.jobs.store import Jobs, Retention


async def ended(jobs: Jobs, name: str, shown: list[dict[str, Any]]) -> None:
    await jobs.submit(NewJob(id=name, prompt={}, outputs=["1"], created=0))
    await jobs.start(name, "worker-0")
    await jobs.record(name, [], [Output("1", {"images": shown}, "1")])
    await jobs.finish(name, State.SUCCEEDED, [])


def picture(folder: Path, name: str, kind: str) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"picture")
    return {"filename": name, "subfolder": "", "type": kind}


async def forgetting(base: Path, retention: Retention, wanted: list[str] | str | None) -> Folders:
    folders = Folders(base)
    jobs = Jobs(base / "jobs.sqlite", retention)
    jobs.open()
    try:
        for name in ("old", "new"):
            temporary = picture(folders.temp, f"{name}.png", "temp")
            await ended(jobs, name, [temporary, picture(folders.output, f"{name}.png", "output")])
        housekeeping = Housekeeping(jobs, folders)
        if isinstance(wanted, str):
            assert await housekeeping.clean() == 1
        else:
            assert {*await housekeeping.forget(wanted)} == ({"old"} if wanted else {"old", "new"})
    finally:
        await jobs.close()
    return folders


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_jobs_beyond_the_rule_go_with_their_temporary_files_and_saved_pictures_stay(tmp_path: Path) -> None:
    folders = asyncio.run(forgetting(tmp_path, Retention(jobs=1), "by the rule"))
    assert names(folders.temp) == ["new.png"]
    assert names(folders.output) == ["new.png", "old.png"]


def test_what_a_person_removes_goes_the_same_way(tmp_path: Path) -> None:
    folders = asyncio.run(forgetting(tmp_path, Retention(), ["old"]))
    assert names(folders.temp) == ["new.png"]


def test_all_of_the_history_can_be_removed(tmp_path: Path) -> None:
    folders = asyncio.run(forgetting(tmp_path, Retention(), None))
    assert names(folders.temp) == []
    assert names(folders.output) == ["new.png", "old.png"]


def test_a_name_that_leads_out_of_the_folder_removes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        folders = Folders(tmp_path / "base")
        outside = tmp_path / "outside.png"
        outside.write_bytes(b"mine")
        jobs = Jobs(tmp_path / "jobs.sqlite", Retention())
        jobs.open()
        try:
            for index, name in enumerate(("../../outside.png", str(outside), 7, None)):
                await ended(jobs, f"job {index}", [{"filename": name, "subfolder": "..", "type": "temp"}])
            await Housekeeping(jobs, folders).forget(None)
        finally:
            await jobs.close()
        assert outside.exists()

    asyncio.run(scenario())
