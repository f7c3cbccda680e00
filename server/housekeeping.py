"""Old jobs and their temporary files are removed; the files that people saved stay.

The rule: ended jobs beyond --keep-jobs or older than --keep-days go, with their events, and with the files they showed
from the folder for temporary files. What a person removes from the history goes the same way.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from engine.errors import LatentwireError, PathError
from engine.folders import Folders, inside
from server.jobs.job import Job, State
from server.jobs.store import Jobs, Query

EVERY = 60.0  # seconds
FIRST = 5.0  # seconds after the start, when the first requests have been answered

_ENDED = Query(states=[each for each in State if each.is_end], descending=False, limit=500)

log = logging.getLogger(__name__)


class Housekeeping:
    """Cleans up from time to time, and when it is asked to forget."""

    def __init__(self, jobs: Jobs, folders: Folders) -> None:
        self._jobs, self._folders = jobs, folders
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to clean up from time to time."""
        self._task = asyncio.create_task(self._clean_for_ever())

    async def stop(self) -> None:
        """Ends that."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def clean(self) -> int:
        """Removes what is beyond the rule. Returns: how many jobs went."""
        gone = await self._jobs.prune()
        await self._remove_temporary(gone)
        return len(gone)

    async def forget(self, jobs: Sequence[str] | None) -> list[str]:
        """Removes ended jobs (None: all of them) and their temporary files. Returns: those that went."""
        if jobs is not None:
            return await self._forget(await self._jobs.many(jobs, whole=False))
        gone: list[str] = []
        while (page := await self._jobs.page(_ENDED, whole=False))[0]:
            went = await self._forget(page[0])
            gone += went
            if not went:
                break
        return gone

    async def _forget(self, known: Sequence[Job]) -> list[str]:
        gone = await self._jobs.forget([each.id for each in known])
        went = set(gone)
        await self._remove_temporary([each for each in known if each.id in went])
        return gone

    async def _clean_for_ever(self) -> None:
        await asyncio.sleep(FIRST)
        while True:
            try:
                await self.clean()
            except Exception as error:
                # The disk, most likely; it is tried again. Whatever else it is must not end the cleaning for good.
                is_known = isinstance(error, LatentwireError)
                log.warning("old jobs could not be removed: %s", error, exc_info=not is_known)
            await asyncio.sleep(EVERY)

    async def _remove_temporary(self, jobs: Iterable[Job]) -> None:
        files = [path for job in jobs for path in temporary_files(job, self._folders)]
        if files:
            await asyncio.to_thread(_remove, files)


def temporary_files(job: Job, folders: Folders) -> Iterator[Path]:
    """The files a job showed from the folder for temporary files, wherever in its outputs they are named."""
    for output in job.shown:
        for items in output.ui.values():
            for each in items if isinstance(items, list | tuple) else ():
                if isinstance(each, dict) and each.get("type") == "temp" and isinstance(each.get("filename"), str):
                    name = f"{each.get('subfolder') or ''}/{each['filename']}".lstrip("/")
                    with contextlib.suppress(PathError):
                        yield inside(folders.temp, name)


def _remove(files: Iterable[Path]) -> None:
    for path in files:
        with contextlib.suppress(OSError):
            path.unlink()
