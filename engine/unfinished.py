"""Files that are still being written, under a name nobody looks for, and what killed processes left of them.

The name says who writes: `.<machine>-<process>-<random>.part`. So another process that saves into the same folder can
tell a file that somebody is busy with from one whose writer is gone.
"""

import os
import platform
import re
import secrets
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

TOO_OLD = 24 * 3600.0  # seconds; nobody writes on one file for a day, whichever machine he is on
CLOCK_ERROR = 60.0  # seconds by which a file server's clock may differ from ours

_NAME = re.compile(r"\.(?:(?P<machine>[0-9a-f]{8})-(?P<process>[0-9]{1,9})-)?[0-9a-f]{16}\.part")


@contextmanager
def unfinished(folder: Path, write: Callable[[BinaryIO], None]) -> Iterator[Path]:
    """The written bytes, safe on the disk under a name nobody looks for; gone afterwards."""
    path = folder / f".{_machine()}-{os.getpid()}-{secrets.token_hex(8)}.part"
    try:
        with open(path, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


def is_unfinished(name: str) -> bool:
    """Whether a name is that of a file that is being written, or was when its writer ended."""
    return _NAME.fullmatch(name) is not None


def remove_abandoned(folder: Path, names: Iterable[str]) -> None:
    """Removes those of a folder's files that were being written by a process that is no more, or a day ago.

    A file that another process of this machine is busy with stays, and for a day so does another machine's.
    """
    for name in names:
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        path = folder / name
        with suppress(OSError):  # somebody else tidies up as well
            changed = path.stat().st_mtime
            is_ours = found["machine"] == _machine()
            if changed < time.time() - TOO_OLD or (is_ours and _is_gone(int(found["process"]), changed)):
                path.unlink()


def _is_gone(process: int, changed: float) -> bool:
    """Whether the process that wrote at that time has ended; its number may be another's by now."""
    import psutil  # here, because a folder rarely holds anything abandoned

    try:
        return bool(psutil.Process(process).create_time() > changed + CLOCK_ERROR)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:  # somebody else's; leave his file alone
        return False


def _machine() -> str:
    """This machine in eight letters; network drives are shared by several, each with process numbers of its own."""
    return f"{zlib.crc32(platform.node().encode()):08x}"
