"""Memory that large requests leave behind; the C library keeps it for the next ones unless told to give it back."""

import asyncio
import ctypes
import gc
from collections.abc import Callable

DELAY = 3.0  # seconds; a row of large requests is cleared away after once

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's malloc.h
_LARGE = 1 << 20  # bytes


class Leftovers:
    """Clears away in a thread, some time after it was told that there may be something; at most once in DELAY.

    Does what the C library can (glibc); elsewhere only Python's own garbage is collected.
    """

    def __init__(self) -> None:
        self._trim: Callable[[int], int] | None = None
        try:
            library = ctypes.CDLL(None)
            self._trim = library.malloc_trim
            # Left alone, glibc learns from the first 20 MB to keep such blocks, and keeps one for every thread.
            library.mallopt(_MMAP_THRESHOLD, _LARGE)
        except (AttributeError, OSError, TypeError):
            pass
        self._clearing: asyncio.TimerHandle | None = None

    def clear_soon(self) -> None:
        """To be called on the event loop, when something large is done with."""
        if self._clearing is None:
            self._clearing = asyncio.get_running_loop().call_later(DELAY, self._clear)

    def _clear(self) -> None:
        self._clearing = None
        asyncio.get_running_loop().run_in_executor(None, self.clear)

    def clear(self) -> None:
        """Hands memory that nobody uses back to the system. To be called in a thread: it takes some 50 ms."""
        gc.collect()
        if self._trim is not None:
            self._trim(0)
