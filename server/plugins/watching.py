"""Looks at the plugins' files, and has them imported again when they have changed (--watch-plugins)."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from engine.errors import LatentwireError
from server.plugins.desk import PluginDesk

TICK = 1.0
"""Seconds between two looks. Files that changed must look the same twice: somebody may still be writing."""

log = logging.getLogger(__name__)


class PluginWatch:
    """Watches from `start` to `stop`. stamps: of the plugins' files, by path; None: nobody wants it to watch."""

    def __init__(self, desk: PluginDesk, stamps: Callable[[], Mapping[str, str]] | None, *, tick: float = TICK) -> None:
        self._desk, self._stamps, self._tick = desk, stamps, tick
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        if self._stamps is not None:
            self._watching = asyncio.create_task(self._watch(self._stamps))

    async def stop(self) -> None:
        """Looks no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self, stamps: Callable[[], Mapping[str, str]]) -> None:
        known = last = await asyncio.to_thread(stamps)
        await self._desk.catalogue.known()  # what changes before that is imported anyway
        while True:
            await asyncio.sleep(self._tick)
            now = await asyncio.to_thread(stamps)
            if now != known and now == last:
                try:
                    renewed = await self._desk.reload(None)
                    log.info("plugins have changed: %s", ", ".join(renewed or ()) or "as soon as nothing runs")
                except LatentwireError as error:
                    log.warning("%s", error)
                except Exception:  # a mistake of ours must not be the last look
                    log.exception("plugins could not be imported again")
                known = now
            last = now
