"""What the cache must be told about values, because it does not know what they are: a door, and its plainest form."""

import sys
from pathlib import Path
from typing import Any, Protocol


class Storage(Protocol):
    """Measures, moves and writes values. `home` is plain data that says where the parts of a value came from."""

    def size(self, value: Any) -> tuple[int, int]:
        """The bytes a value holds on the GPU and in RAM, memory that is shared within it counted once."""

    def to_ram(self, value: Any) -> tuple[Any, Any]:
        """The value with nothing on the GPU, and its home."""

    def to_home(self, value: Any, home: Any) -> Any:
        """The value back where it came from; where that has no room, as it is."""

    def save(self, value: Any, path: Path) -> bool:
        """Writes a value, or answers False when it holds something that cannot be written."""

    def load(self, path: Path) -> Any:
        """Reads a value back. Raises: OSError, ValueError."""

    def fingerprint(self, value: Any) -> bytes | None:
        """Bytes that are equal for equal contents; None for a value that cannot be read."""


class PlainStorage:
    """A Storage for graphs of plain Python values: all in RAM, nothing on disk."""

    def size(self, value: Any) -> tuple[int, int]:
        """The bytes of the value and of what is in its lists, tuples and dictionaries."""
        return 0, _plain_size(value)

    def to_ram(self, value: Any) -> tuple[Any, Any]:
        """The value: it is in RAM."""
        return value, None

    def to_home(self, value: Any, home: Any) -> Any:
        """The value: it never left."""
        return value

    def save(self, value: Any, path: Path) -> bool:
        """False: values of any kind have no file format of ours."""
        return False

    def load(self, path: Path) -> Any:
        """Raises: ValueError, for nothing was written."""
        raise ValueError(f"{path} was not written by this storage")

    def fingerprint(self, value: Any) -> bytes | None:
        """None: signatures read plain values by themselves."""
        return None


def _plain_size(value: Any) -> int:
    """Bytes by sys.getsizeof, through lists, tuples and dictionaries; shared and looped ones counted once."""
    total = 0
    seen: set[int] = set()
    stack = [value]
    while stack:
        each = stack.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        kind = type(each)
        if kind is dict:
            stack.extend(each.keys())
            stack.extend(each.values())
        elif kind is list or kind is tuple or kind is set:
            stack.extend(each)
    return total
