"""Users' files by the names clients give them: found below their root or refused, and put there without harming others.

Everything here touches the disk, so call it in a thread.
"""

import errno
import filecmp
import itertools
import os
import re
import shutil
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import PathError
from engine.folders import Folders, inside, split_annotation
from engine.saving import name_it, sync_folder
from engine.unfinished import remove_abandoned, unfinished
from server.requests.refusal import Refused

LONGEST_NAME = 200  # bytes; file systems take 255, and " (12)" or a suffix may have to fit behind

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')  # what Windows forbids and others need escaped
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


# -------------------------------------------------------------------------------------------------------------- finding


def find(folders: Folders, filename: str, subfolder: str = "", type: str = "output") -> Path:
    """The file a client names; " [input]" at the end of a name wins over the type. Returns: its real path.

    Raises: Refused: 404 without a name or a file, 400 for a name that is none or an unknown type, 403 for a sub-folder
    or a link that leads out.
    """
    if not filename:
        raise Refused(404, "expected the name of a file: ?filename=…")
    plain, annotated = split_annotation(filename)
    kind = annotated or type
    try:
        root = folders.root(kind)
    except PathError as error:
        raise Refused(400, f"type: {error}") from error
    try:
        inside(root, plain)
    except PathError as error:
        raise Refused(400, without_paths(error, kind, root)) from error
    folder = root
    if subfolder:
        try:
            folder = inside(root, subfolder)
        except PathError as error:
            raise Refused(403, without_paths(error, kind, root)) from error
    return _real_file(root, folder / plain)


def without_paths(error: PathError, kind: str, *places: Path) -> str:
    """A refusal as clients may read it: they know a folder by its name, and need not know where the server keeps it."""
    text = str(error)
    together = [", ".join(map(str, places))] if places else []
    for path in (*together, *map(str, places)):
        text = text.replace(path, f"the {kind} folder")
    return text


def _real_file(root: Path, path: Path) -> Path:
    """Raises: Refused, unless it is a plain file below the root."""
    missing = Refused(404, f"there is no file {path.name!r}; it may have been moved or deleted")
    try:
        real = path.resolve(strict=True)
        is_inside, is_file = real.is_relative_to(root.resolve()), stat.S_ISREG(real.stat().st_mode)
    except (OSError, ValueError, RuntimeError) as error:  # a ring of links is a RuntimeError
        raise missing from error
    if not is_inside:
        raise Refused(403, f"{path.name!r} is a link that leads out of its folder; copy the file into the folder")
    if not is_file:
        raise missing
    return real


# --------------------------------------------------------------------------------------------------------------- naming


def clean_name(given: str) -> str:
    """A file name that every system takes and no node misreads, as close to the given one as possible.

    Folders before it are dropped. Raises: Refused with 400, when nothing of it is left.
    """
    name = re.split(r"[/\\]", given)[-1]
    name = _trimmed("".join("_" if _is_odd(each) else each for each in _FORBIDDEN.sub("_", name)))
    if not name.strip("_"):
        raise Refused(400, f"{given!r:.100} is no name of a file; give one with letters or digits")
    if split_annotation(name)[1] is not None:  # "a.png [output]" would name another file
        name = name.replace("[", "(").replace("]", ")")
    stem, suffix = os.path.splitext(name)
    if _RESERVED.fullmatch(stem.split(".")[0].strip()):
        stem = f"_{stem}"
    suffix = _shortened(suffix, 40)
    return _trimmed(_shortened(stem, LONGEST_NAME - len(suffix.encode())) + suffix)


def _is_odd(character: str) -> bool:
    """Control characters, halves of characters, and marks that turn a name around for its reader."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _TURNING


def _trimmed(text: str) -> str:
    """Without dots (hidden files) and spaces (Windows drops them) at its ends."""
    return re.sub(r"^[\s.]+|[\s.]+$", "", text)


def _shortened(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def folder_for(folders: Folders, type: str, subfolder: str) -> tuple[Path, str]:
    """Where an upload goes, and its sub-folder as it is told to the client; nothing is made yet.

    Raises: Refused with 400, when there is no such place or it is outside.
    """
    name = "/".join(part for part in re.split(r"[/\\]", subfolder) if part not in ("", "."))
    try:
        root = folders.root(type or "input")
    except PathError as error:
        raise Refused(400, f"type: {error}") from error
    try:
        if subfolder.startswith(("/", "\\")):
            inside(root, subfolder)
        folder = inside(root, name) if name else root
        is_inside = folder.resolve().is_relative_to(root.resolve())
    except PathError as error:
        raise Refused(400, f"subfolder: {without_paths(error, type or 'input', root)}") from error
    except (OSError, ValueError, RuntimeError) as error:  # a ring of links is a RuntimeError
        raise Refused(400, f"subfolder: {subfolder!r:.100} cannot be followed on the disk; choose another") from error
    if not is_inside:
        raise Refused(
            400,
            f"subfolder: {subfolder!r:.100} is a link that leads out of the {type or 'input'} folder; choose another",
        )
    for part in name.split("/") if name else ():
        if part != clean_name(part):
            raise Refused(400, f"subfolder: {part!r:.100} is no name of a folder; {clean_name(part)!r:.100} would be")
    return folder, name


# -------------------------------------------------------------------------------------------------------------- keeping


def keep(whole: Path, folder: Path, name: str, *, overwrite: bool = False) -> str:
    """Gives a finished file its name in a folder, which is made when missing.

    Another file of that name stays, and the new one becomes "name (1).png"; but the same bytes are kept once. With
    overwrite the other is replaced. Any number may do this at once. Returns: the name it has now.
    Raises: Refused, when the disk does not let us.
    """
    with readable_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder, os.listdir(folder))
        if whole.stat().st_dev == folder.stat().st_dev:
            return _keep(whole, folder, name, overwrite)
        with open(whole, "rb") as source, unfinished(folder, lambda file: shutil.copyfileobj(source, file)) as copy:
            return _keep(copy, folder, name, overwrite)


def _keep(whole: Path, folder: Path, name: str, overwrite: bool) -> str:
    if overwrite and not (folder / name).is_dir():
        os.replace(whole, folder / name)
        sync_folder(folder)
        return name
    for candidate in _names(name):
        if name_it(whole, folder / candidate):
            sync_folder(folder)
            return candidate
        if _is_same(whole, folder / candidate):
            return candidate
    raise AssertionError("there is always another number")


def _names(name: str) -> Iterator[str]:
    yield name
    stem, suffix = os.path.splitext(name)
    for n in itertools.count(1):
        yield f"{stem} ({n}){suffix}"


def _is_same(whole: Path, other: Path) -> bool:
    """Whether both hold the same bytes; links and special files never do."""
    try:
        found = other.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != whole.stat().st_size:
            return False
        return filecmp.cmp(whole, other, shallow=False)
    except OSError:
        return False


@contextmanager
def readable_errors(folder: Path) -> Iterator[None]:
    """Says what the disk refused. Raises: Refused, with 507 when it is full."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise Refused(507, f"{folder.name}: the disk is full; make room and send the file again") from error
        if isinstance(error, NotADirectoryError | FileExistsError):
            raise Refused(400, f"{folder.name}: a file stands where a folder should be; choose another") from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Refused(
            500, f"{folder.name}: cannot be written to ({reason}); whoever runs the server can help"
        ) from error
