"""The cache's lowest floor: values in files, kept within a byte budget, least recently used first out.

A file is written under a temporary name and renamed, and its name carries a checksum of what is in it, so one that was
cut short or altered is recognised, ignored and removed. The folder belongs to one cache at a time.
"""

import contextlib
import os
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUFFIX = ".cached"
CHUNK = 1 << 20
Save = Callable[[Any, Path], bool]
Load = Callable[[Path], Any]


class Disk:
    """Values by key in a folder.

    save(value, path) writes one, or answers False when it is not of a kind that can be written; load(path) reads it and
    raises OSError or ValueError when it cannot.
    """

    def __init__(self, folder: Path, budget: int, save: Save, load: Load) -> None:
        self._folder = folder
        self._budget = budget
        self._save = save
        self._load = load
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._names: dict[str, str] = {}
        self.used = 0
        self._take_stock()

    def __contains__(self, key: object) -> bool:
        return key in self._sizes

    def __len__(self) -> int:
        return len(self._sizes)

    def put(self, key: str, value: Any) -> bool:
        """Writes a value. Returns: whether it is there now; False for what cannot be written or does not fit."""
        if key in self._sizes:
            self._sizes.move_to_end(key)
            return True
        temporary = self._folder / f"{key}.{os.getpid()}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._save(value, temporary):
                return False
            size = temporary.stat().st_size
            if size > self._budget:
                return False
            self._make_room(size)
            name = f"{key}-{_checksum(temporary):08x}{SUFFIX}"
            os.replace(temporary, self._folder / name)
        except OSError:  # a full or read-only disk: the value is simply not kept
            return False
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._note(key, name, size)
        return True

    def get(self, key: str) -> Any:
        """The value of that key. Raises: KeyError, when there is none or its file is damaged (it is then removed)."""
        name = self._names[key]
        path = self._folder / name
        try:
            if f"{key}-{_checksum(path):08x}{SUFFIX}" != name:
                raise ValueError("the file is not what was written")
            value = self._load(path)
            os.utime(path)
        except (OSError, ValueError) as error:
            self.drop(key)
            raise KeyError(key) from error
        self._sizes.move_to_end(key)
        return value

    def drop(self, key: str) -> None:
        """Removes a value; nothing happens when there is none."""
        if key in self._sizes:
            self.used -= self._sizes.pop(key)
            with contextlib.suppress(OSError):
                (self._folder / self._names.pop(key)).unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes every value."""
        for key in [*self._sizes]:
            self.drop(key)

    def _take_stock(self) -> None:
        """Finds the files of earlier runs, oldest first; what a killed process left half-written goes."""
        if not self._folder.is_dir():
            return
        found = []
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                if path.suffix == ".part":
                    path.unlink()
                elif path.suffix == SUFFIX and "-" in path.stem:
                    found.append((path.stat().st_mtime_ns, path.name, path.stat().st_size))
        for _, name, size in sorted(found):
            self._note(name.rpartition("-")[0], name, size)
        self._make_room(0)

    def _note(self, key: str, name: str, size: int) -> None:
        self.drop(key)
        self._sizes[key] = size
        self._names[key] = name
        self.used += size

    def _make_room(self, size: int) -> None:
        while self._sizes and self.used + size > self._budget:
            self.drop(next(iter(self._sizes)))


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
