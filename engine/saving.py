"""Writing results: numbered files that never overwrite another, and are whole or not there at all."""

import errno
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine.errors import PathError
from engine.folders import inside, refuse_long
from engine.unfinished import remove_abandoned, unfinished

_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_TIMES = re.compile("%(?:year|month|day|hour|minute|second)%")
_TIMES_AND_BATCH = re.compile(f"{_TIMES.pattern}|%batch_num%")
_LITTLE_ROOM = 1 << 20  # bytes; an encoder that fails without a reason on a disk this full failed because of it


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file just written: where it is, and how clients ask for it (name and sub-folder below the root)."""

    path: Path
    filename: str
    subfolder: str
    counter: int


def save_numbered(
    root: Path,
    prefix: str,
    extension: str,
    write: Callable[[BinaryIO], None],
    *,
    width: int = 0,
    height: int = 0,
    batch_index: int = 0,
) -> SavedFile:
    """Writes `<prefix>_<counter>_.<extension>` below root, with the next free counter.

    The folder part of the prefix is a sub-folder, made when missing. `%width% %height% %year% %month% %day% %hour%
    %minute% %second% %batch_num%` are filled in. However many threads and processes save at once, no file is written
    twice; a file is seen under its name only when all of it is on the disk.

    write: writes the file's bytes; called once.
    Raises: PathError when the prefix leads out of root, the folder cannot be written or the disk is full; nothing is
    left behind then. What else `write` raises is passed on.
    Source: node_behaviour.md, 0.7.
    """
    prefix = fill_in(prefix, width=width, height=height)
    check_prefix(root, prefix)
    folder, stem = _destination(root, prefix)
    numbered = re.compile(_any(_TIMES_AND_BATCH, stem) + r"_([0-9]+)_")
    stem = stem.replace("%batch_num%", str(batch_index))
    with _readable_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with unfinished(folder, write) as whole:
            names = os.listdir(folder)
            remove_abandoned(folder, (name for name in names if name != whole.name))
            counter = _next_counter(names, numbered)
            while not name_it(whole, target := folder / f"{stem}_{counter:05}_.{extension.lstrip('.')}"):
                counter += 1
        sync_folder(folder)
    return _saved(target, root, counter)


def next_place(root: Path, prefix: str, *, width: int = 0, height: int = 0) -> tuple[Path, str, int]:
    """Where the next file under this prefix would go, for those who write it themselves: folder, stem and counter.

    The folder is made when missing; the number is not reserved.
    Raises: PathError when the prefix leads out of root or the folder cannot be written.
    """
    prefix = fill_in(prefix, width=width, height=height)
    check_prefix(root, prefix)
    folder, stem = _destination(root, prefix)
    with _readable_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return folder, stem, _next_counter(os.listdir(folder), re.compile(_any(_TIMES_AND_BATCH, stem) + r"_([0-9]+)_"))


def saved_before(root: Path, prefix: str, extension: str, *, width: int = 0, height: int = 0) -> Iterator[SavedFile]:
    """The files that were saved under this prefix, whenever that was: the newest first. Nothing is read of them.

    Raises: PathError when the prefix leads out of root.
    """
    check_prefix(root, prefix)
    subfolder, stem = _split(_fill_in_size(prefix, width, height))
    ending = re.escape(os.path.normcase(f"_.{extension.lstrip('.')}"))
    pattern = re.compile(f"{_any(_TIMES_AND_BATCH, stem)}_([0-9]+){ending}")
    found = []
    for path in (each for folder in _folders(root, subfolder) for each in _below(folder)):
        match = pattern.fullmatch(os.path.normcase(path.name))
        if match:
            with suppress(OSError):  # it has just been deleted
                found.append((path.lstat().st_mtime_ns, int(match[1]), path))
    yield from (_saved(path, root, counter) for _, counter, path in sorted(found, reverse=True))


def _saved(path: Path, root: Path, counter: int) -> SavedFile:
    subfolder = os.path.relpath(path.parent, root.resolve())
    return SavedFile(path, path.name, "" if subfolder == "." else subfolder, counter)


def _folders(root: Path, subfolder: str) -> list[Path]:
    """The folders below root that the folder part of a prefix has named at any time."""
    home = root.resolve()
    found = [home]
    for part in Path(subfolder).parts:
        if _TIMES.search(part):
            pattern = re.compile(_any(_TIMES, part))
            below = [each for folder in found for each in _below(folder)]
            found = [each for each in below if pattern.fullmatch(os.path.normcase(each.name))]
        else:
            found = [folder / part for folder in found]
    with suppress(OSError, RuntimeError):  # a ring of links: nothing was saved there
        return [each for each in (folder.resolve() for folder in found) if each.is_relative_to(home)]
    return []


def _below(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [*folder.iterdir()]
    return []


def check_prefix(root: Path, prefix: str) -> None:
    """Refuses a prefix that no file could be saved under, without touching the disk.

    Raises: PathError when it leads out of root, is too long, or holds control characters.
    """
    if not isinstance(prefix, str):  # a wire may bring anything
        raise PathError(f"filename_prefix: expected a text, got {prefix!r:.200}")
    for each in prefix:
        if unicodedata.category(each) == "Cc" and each != "\0":
            raise PathError(f"filename_prefix {prefix!r:.200}: {each!r} is a control character; remove it")
    _refuse_long(prefix)
    try:
        inside(root, prefix or "_")
    except PathError as error:
        raise _outside(root, prefix) from error


def _refuse_long(prefix: str) -> None:
    try:
        # The longest picture side has five digits.
        refuse_long(f"{fill_in(prefix, width=99999, height=99999)}_00001_.png")
    except PathError as error:
        raise PathError(f"filename_prefix: {error}, the number and the ending included") from error


def _outside(root: Path, prefix: str) -> PathError:
    return PathError(
        f"Saving image outside the output folder is not allowed. filename_prefix {prefix!r} must name a place "
        f"below {root}, without '..' and not absolute"
    )


def fill_in(prefix: str, *, width: int = 0, height: int = 0, now: time.struct_time | None = None) -> str:
    """Replaces the size and time words of a file name prefix; `%batch_num%` stays for the one who counts."""
    if "%" not in prefix:
        return prefix
    prefix = _fill_in_size(prefix, width, height)
    now = now or time.localtime()
    words = {"year": str(now.tm_year)}
    parts = {"month": now.tm_mon, "day": now.tm_mday, "hour": now.tm_hour, "minute": now.tm_min, "second": now.tm_sec}
    words.update({word: f"{number:02}" for word, number in parts.items()})
    for word, text in words.items():
        prefix = prefix.replace(f"%{word}%", text)
    return prefix


def _fill_in_size(prefix: str, width: int, height: int) -> str:
    return prefix.replace("%width%", str(width)).replace("%height%", str(height))


def _split(prefix: str) -> tuple[str, str]:
    """The folder part of a prefix and its stem."""
    subfolder, stem = os.path.split(os.path.normpath(prefix) if prefix else "")
    return (os.path.join(subfolder, stem), "") if prefix.endswith(("/", os.sep)) else (subfolder, stem)


def _destination(root: Path, prefix: str) -> tuple[Path, str]:
    """The folder and the stem a prefix names."""
    subfolder, stem = _split(prefix)
    try:
        folder = (root / subfolder).resolve()
        is_inside = folder.is_relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError) as error:  # a ring of links, for one
        raise _outside(root, prefix) from error
    if not is_inside:
        raise _outside(root, prefix)
    return folder, stem


def _any(words: re.Pattern[str], text: str) -> str:
    """A pattern for the text in which these words may be any number: one counter serves a batch of %batch_num%."""
    return "[0-9]+".join(re.escape(os.path.normcase(part)) for part in words.split(text))


def _next_counter(names: Iterable[str], numbered: re.Pattern[str]) -> int:
    found = (numbered.match(os.path.normcase(name)) for name in names)
    return 1 + max((int(each[1]) for each in found if each), default=0)


def name_it(whole: Path, target: Path) -> bool:
    """Gives a finished file its name; False when another file has it."""
    try:
        os.link(whole, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        return _reserve_and_replace(whole, target)
    return True


def _reserve_and_replace(whole: Path, target: Path) -> bool:
    """The same where the file system knows no hard links (FAT, some network drives): an empty file holds the name."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    try:
        os.replace(whole, target)
    except OSError:
        target.unlink()
        raise
    return True


def sync_folder(folder: Path) -> None:
    """Makes the new name survive a power cut, where the system lets a folder be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _readable_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # Pillow's encoders report a failed write without an errno.
        if error.errno in _FULL or (error.errno is None and _free_bytes(folder) < _LITTLE_ROOM):
            raise PathError(f"{folder}: the disk is full; make room or choose another output folder") from error
        if error.errno is None:
            raise
        reason = os.strerror(error.errno)
        raise PathError(f"{folder}: cannot be written to ({reason}); choose another name or output folder") from error


def _free_bytes(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
