"""One process at a time may have the jobs: a lock that the kernel takes back however the process ends."""

import os
import sys
from pathlib import Path

from engine.errors import PathError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class Lock:
    """An exclusive lock on a file beside the one it guards. The file stays; only the lock on it counts."""

    def __init__(self, guarded: Path) -> None:
        self._guarded = guarded
        self._file = guarded.with_name(f"{guarded.name}.lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Takes the lock or says who has it. Raises: PathError."""
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise PathError(f"{self._file}: cannot be written ({error.strerror}); check the folder") from error
        try:
            _lock(descriptor)
        except OSError as error:
            owner = _owner(descriptor)
            os.close(descriptor)
            raise PathError(
                f"{self._guarded}: another Latentwire{owner} has the jobs open; stop it, or start this one with another"
                " folder for the user's files"
            ) from error
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Gives the lock back; harmless where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _owner(descriptor: int) -> str:
    """ " (process 123)", as far as it can be told."""
    try:
        number = os.read(descriptor, 20).decode("ascii", "ignore")
    except OSError:  # Windows does not let others read what is locked
        return ""
    return f" (process {number})" if number.isdigit() else ""
