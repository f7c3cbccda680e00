"""Says in the log what is waited for, while a plugin's import takes long."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.plugin_files import Found

EVERY = 10.0
"""Seconds between two lines."""

log = logging.getLogger(__name__)


@contextmanager
def waiting(found: Found) -> Iterator[None]:
    """While this thread imports a plugin: a line every now and then that names it, and where in its files it is."""
    is_done, thread = threading.Event(), threading.get_ident()

    def tell() -> None:
        began = time.monotonic()
        while not is_done.wait(EVERY):
            seconds = time.monotonic() - began
            log.warning("still importing %s, %.0f s%s", found.title, seconds, _place(thread, found.path))

    threading.Thread(target=tell, name=f"importing {found.title}", daemon=True).start()
    try:
        yield
    finally:
        is_done.set()


def _place(thread: int, path: Path) -> str:
    """ " (file.py, line 3)": the innermost line of the plugin's own files that the thread is at; "" outside of them."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if file == path or path in file.parents:
            return f" ({file.name}, line {frame.f_lineno})"
        frame = frame.f_back
    return ""
