"""What a worker prints: bounded lines at a bounded rate for the log, and the last ones for whoever asks why it died.

A node may print megabytes a second. What is beyond the rate is only counted, so a flood is read on (at some 10 MB/s)
and costs the server a few percent of a core.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable

LINES_PER_SECOND = 200
MAX_LINE = 1000
"""Characters; the rest of a longer line is left out."""
KEPT = 50
CHUNK = 256 << 10
PAUSE = 0.01
"""Seconds between two chunks of a flood."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


class Stderr:
    """Reads one process's stderr; `log` is called with each line that fits the rate."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._last: deque[bytes] = deque(maxlen=KEPT)
        self._rest = b""
        self._room = LINES_PER_SECOND
        self._left_out = 0
        self._second: asyncio.TimerHandle | None = None

    @property
    def last(self) -> list[str]:
        """The last lines that are not empty."""
        return [text for line in self._last if (text := _clean(line))]

    def forget(self) -> None:
        """What was printed so far is no longer among the last lines."""
        self._last.clear()

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Reads until the pipe ends."""
        try:
            while chunk := await _chunk(reader):
                self._take(chunk)
                if not self._room:
                    await asyncio.sleep(PAUSE)
        finally:
            self._take(b"\n")
            self._next_second()

    def _take(self, chunk: bytes) -> None:
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = _shown(rest)[:MAX_LINE]
        shown = lines[: self._room]
        self._room -= len(shown)
        self._left_out += len(lines) - len(shown)
        for line in shown:
            if text := _clean(line):
                self._log(text)
        self._last.extend(line[: 4 * MAX_LINE] for line in lines[-KEPT:] if line)
        if lines and self._second is None:
            self._second = asyncio.get_running_loop().call_later(1.0, self._next_second)

    def _next_second(self) -> None:
        if self._left_out:
            self._log(f"… {self._left_out:,} more lines were left out")
        self._room, self._left_out = LINES_PER_SECOND, 0
        if self._second is not None:
            self._second.cancel()
            self._second = None


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(CHUNK)
    except OSError:
        return b""


def _shown(line: bytes) -> bytes:
    """What a terminal shows of a line that was written over itself, as progress bars do."""
    line = line.rstrip(b"\r")
    return line[line.rfind(b"\r") + 1 :]


def _clean(line: bytes) -> str:
    text = _shown(line)[: 4 * MAX_LINE].decode("utf-8", "replace")
    return _CONTROL.sub("", text).rstrip()[:MAX_LINE]
