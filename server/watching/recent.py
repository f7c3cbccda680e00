"""The newest lines of the log, for clients that show them: kept here, and told to those who asked for them."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from server.protocol.system import LogEntry
from server.watching.logs import Mask, TextLines, complete

KEPT = 1000
LONGEST = 4000  # characters of a line that is kept
PAUSE = 0.1  # seconds in which lines are gathered before they are told
TOGETHER = 200
"""Lines that are told at once; of more the newest."""


class Recent(logging.Handler):
    """Keeps the newest lines. `tell` is called with new ones on the event loop, while anybody wants them."""

    def __init__(self, mask: Mask, *, kept: int = KEPT) -> None:
        super().__init__()
        self.setFormatter(TextLines(mask))
        self._entries: deque[LogEntry] = deque(maxlen=kept)
        self._new: deque[LogEntry] = deque(maxlen=TOGETHER)
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tell: Callable[[Sequence[LogEntry]], None] | None = None
        self._is_due = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a record that the log shows too."""
        complete(record)
        if record.levelno < logging.getLogger().level:
            return
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "")
        entry: LogEntry = {"t": moment, "m": f"{self.format(record)[:LONGEST]}\n"}
        with self._guard:
            self._entries.append(entry)
            if self._loop is None:
                return
            self._new.append(entry)
            if self._is_due:
                return
            self._is_due = True
            loop = self._loop
        try:
            loop.call_soon_threadsafe(loop.call_later, PAUSE, self._flush)
        except RuntimeError:  # the loop has ended; nobody listens any more
            self.tell_nobody()

    @property
    def entries(self) -> list[LogEntry]:
        """The newest lines, the oldest first."""
        with self._guard:
            return list(self._entries)

    def tell(self, tell: Callable[[Sequence[LogEntry]], None]) -> None:
        """Tells of every line from now on; call it on the event loop."""
        with self._guard:
            self._loop, self._tell = asyncio.get_running_loop(), tell

    def tell_nobody(self) -> None:
        """Ends that."""
        with self._guard:
            self._loop = self._tell = None
            self._is_due = False
            self._new.clear()

    def _flush(self) -> None:
        with self._guard:
            found, tell = list(self._new), self._tell
            self._new.clear()
            self._is_due = False
        if found and tell is not None:
            tell(found)
