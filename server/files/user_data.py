"""What the editor keeps for a person: small files below one folder, each replaced as a whole or not at all.

Two pages that edit the same file never overwrite each other silently: a change may say which version it was made from
(`Conditions`), and between that look and the change nothing else happens.
"""

import asyncio
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from engine.errors import PathError
from engine.folders import inside
from engine.saving import name_it, sync_folder
from engine.unfinished import is_unfinished, remove_abandoned, unfinished
from server.files.user_files import clean_name, readable_errors, without_paths
from server.requests.budget import Budget
from server.requests.refusal import Refused

LARGEST = 64_000_000
"""Bytes of a file, the most that the editor reads as JSON; a workflow of 2,000 nodes takes one or two MB."""

RECEIVED_AT_ONCE = 2 * LARGEST  # bytes of files that are in memory while they come in

_KIND = "user"  # what clients call the folder

_RESERVED = re.compile(r"comfyui-manager|__.*", re.IGNORECASE | re.DOTALL)
"""Folders at the top that are plugins' own: what stands there decides what they may do, so it is no client's to touch.

Source: the published description of CVE-2025-67303.
"""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as it is kept. path: below the root, with "/" between folders. Units: times are ms since 1970."""

    path: str
    size: int
    modified: int
    created: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """What has to be so for a change to happen: RFC 9110, 13.1. Tags stand without their quotes; "*" is any file."""

    match: tuple[str, ...] | None = None
    none_match: tuple[str, ...] | None = None

    def check(self, name: str, tag: str | None) -> None:
        """tag: of the file as it is now; None: there is none. Raises: Refused with 412."""
        if self.match is not None and (tag is None or not {"*", tag} & {*self.match}):
            raise _changed(name, tag, "it has been changed since you opened it" if tag else "it has been deleted")
        if self.none_match is not None and tag is not None and {"*", tag} & {*self.none_match}:
            raise _changed(name, tag, "there is one of this name already")


def _changed(name: str, tag: str | None, what: str) -> Refused:
    message = (
        f"{name}: {what}, in another tab or program; nothing was changed. Open it again, or save under another name"
    )
    return Refused(412, message, headers={} if tag is None else {"ETag": f'"{tag}"'})


UNCONDITIONAL = Conditions()


class UserData:
    """The files below a folder. Names that lead out of it are refused; every method raises Refused."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.room = Budget(RECEIVED_AT_ONCE)
        # Changes happen one after another, here: whoever looked at a file changes the one that was looked at.
        self._changes = ThreadPoolExecutor(1, thread_name_prefix="user-data")

    def close(self) -> None:
        """Finishes what was begun."""
        self._changes.shutdown(wait=True, cancel_futures=True)

    # --- looking ---

    async def read(self, name: str) -> tuple[bytes, str, Stored]:
        """A file: its bytes, their tag, and when it was kept."""
        return await asyncio.to_thread(self._read, name)

    async def files(self, folder: str, *, recurse: bool) -> list[Stored]:
        """The files in a folder, their paths below that folder."""
        return await asyncio.to_thread(lambda: sorted(self._files(folder, recurse), key=lambda each: each.path))

    async def entries(self, folder: str) -> list[tuple[Stored, bool]]:
        """Everything below a folder ("": the root), folders before files; whether each is a folder."""
        return await asyncio.to_thread(self._entries, folder)

    # --- changing ---

    async def write(
        self, name: str, data: bytes, *, overwrite: bool = True, conditions: Conditions = UNCONDITIONAL
    ) -> tuple[Stored, str]:
        """Keeps a file. Returns: it, and its tag. Refused with 409 where there is one, if it may not be replaced."""
        return await self._change(lambda: self._write(name, data, overwrite, conditions))

    async def revise(
        self, name: str, revise: Callable[[bytes | None], bytes], *, is_whole: Callable[[bytes], bool]
    ) -> None:
        """Makes a file anew from what it holds (None: there is none); no other change comes in between.

        is_whole: whether it holds what it should; one that does not is kept with ".damaged" behind its name.
        """
        await self._change(lambda: self._revise(name, revise, is_whole))

    async def delete(self, name: str, *, conditions: Conditions = UNCONDITIONAL) -> None:
        """Removes a file."""
        await self._change(lambda: self._delete(name, conditions))

    async def move(
        self, name: str, target: str, *, overwrite: bool = True, conditions: Conditions = UNCONDITIONAL
    ) -> tuple[Stored, str]:
        """Gives a file another name. conditions: `match` is about the file, `none_match` about what is at the target.

        Returns: it as it is now, and its tag.
        """
        return await self._change(lambda: self._move(name, target, overwrite, conditions))

    async def _change(self, function: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._changes, function)

    # --- how, in threads ---

    def _read(self, name: str) -> tuple[bytes, str, Stored]:
        path = self._path(name)
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise _missing(name)
            if found.st_size > LARGEST:
                raise Refused(
                    413, f"{name}: this file is larger than {LARGEST:,} bytes, which is the most that is read"
                )
            data = path.read_bytes()
        except OSError as error:
            raise _missing(name) from error
        return data, tag_of(data), self._stored(path, found, self._root)

    def _write(self, name: str, data: bytes, overwrite: bool, conditions: Conditions) -> tuple[Stored, str]:
        path = self._path(name)
        _refuse_odd(name)
        with readable_errors(path):
            if path.is_dir():
                raise Refused(400, f"{name}: there is a folder of this name; choose another name")
            conditions.check(name, self._tag(path))
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned(path.parent, os.listdir(path.parent))
            with unfinished(path.parent, lambda file: _fill(file, data)) as whole:
                self._put(whole, path, name, overwrite)
            sync_folder(path.parent)
            return self._stored(path, path.stat(), self._root), tag_of(data)

    def _revise(self, name: str, revise: Callable[[bytes | None], bytes], is_whole: Callable[[bytes], bool]) -> None:
        path = self._path(name)
        before = self._read(name)[0] if path.exists() else None
        text = revise(before)
        if before is not None and not is_whole(before):
            self._write(f"{name}.damaged", before, True, UNCONDITIONAL)
        self._write(name, text, True, UNCONDITIONAL)

    def _delete(self, name: str, conditions: Conditions) -> None:
        path = self._path(name)
        tag = self._tag(path)
        conditions.check(name, tag)
        if tag is None:
            raise _missing(name)
        with readable_errors(path):
            path.unlink()
            sync_folder(path.parent)

    def _move(self, name: str, target: str, overwrite: bool, conditions: Conditions) -> tuple[Stored, str]:
        path, goal = self._path(name), self._path(target)
        _refuse_odd(target)
        tag = self._tag(path)
        Conditions(match=conditions.match).check(name, tag)
        if tag is None:
            raise _missing(name)
        with readable_errors(goal):
            if goal.is_dir():
                raise Refused(400, f"{target}: there is a folder of this name; choose another name")
            if goal != path:
                Conditions(none_match=conditions.none_match).check(target, self._tag(goal))
                goal.parent.mkdir(parents=True, exist_ok=True)
                if not overwrite and goal.exists():
                    raise _taken(target)
                os.replace(path, goal)
                sync_folder(goal.parent)
                sync_folder(path.parent)
            return self._stored(goal, goal.stat(), self._root), tag

    def _put(self, whole: Path, path: Path, name: str, overwrite: bool) -> None:
        if overwrite:
            os.replace(whole, path)
        elif not name_it(whole, path):
            raise _taken(name)

    def _files(self, folder: str, recurse: bool) -> Iterator[Stored]:
        place = self._folder(folder)
        for path, found in _walk(place, recurse):
            if stat.S_ISREG(found.st_mode):
                yield self._stored(path, found, place)

    def _entries(self, folder: str) -> list[tuple[Stored, bool]]:
        if not folder and not self._root.exists():  # nobody has kept anything yet
            return []
        found = [
            (self._stored(path, each, self._root), stat.S_ISDIR(each.st_mode))
            for path, each in _walk(self._folder(folder), recurse=True)
            if not _RESERVED.fullmatch(path.relative_to(self._root).parts[0])
        ]
        return sorted(found, key=lambda each: (not each[1], each[0].path))

    def _folder(self, name: str) -> Path:
        path = self._path(name) if name else self._root
        if not path.is_dir():
            raise Refused(404, f"there is no folder {name!r:.100}")
        return path

    def _path(self, name: str) -> Path:
        """Where a file is or would be. Raises: Refused, 400 for what is no name, 403 for a link that leads out."""
        try:
            path = inside(self._root, name.replace("\\", "/"))
        except PathError as error:
            raise Refused(403, without_paths(error, _KIND, self._root)) from error
        path = Path(os.path.normpath(path))
        try:
            is_inside = path.resolve().is_relative_to(self._root.resolve()) and path != self._root
        except (OSError, ValueError, RuntimeError) as error:  # a ring of links is a RuntimeError
            raise Refused(403, f"{name!r:.100} cannot be followed on the disk; choose another name") from error
        if not is_inside:
            raise Refused(403, f"{name!r:.100} leads out of the {_KIND} folder; choose another name")
        if is_unfinished(path.name):
            raise _missing(name)
        if _RESERVED.fullmatch(path.relative_to(self._root).parts[0].rstrip(". ")):
            raise Refused(403, f"{name!r:.100} belongs to a plugin; choose another name")
        return path

    def _tag(self, path: Path) -> str | None:
        """The tag of a file as it is now; None where there is none."""
        try:
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()[:32]
        except OSError:
            return None

    def _stored(self, path: Path, found: os.stat_result, place: Path) -> Stored:
        name = path.relative_to(place).as_posix()
        return Stored(name, found.st_size, found.st_mtime_ns // 1_000_000, found.st_ctime_ns // 1_000_000)


def tag_of(data: bytes) -> str:
    """The version of a file: the same bytes have the same tag."""
    return hashlib.sha256(data).hexdigest()[:32]


def _walk(folder: Path, recurse: bool) -> Iterator[tuple[Path, os.stat_result]]:
    """What is in a folder; links that are folders are not entered."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_unfinished(entry.name):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:  # it has just been deleted
                continue
            yield Path(entry.path), found
            if recurse and stat.S_ISDIR(found.st_mode):
                yield from _walk(Path(entry.path), recurse)


def _refuse_odd(name: str) -> None:
    """Raises: Refused, for a name that some system cannot hold or that shows as another. Dots in front are fine."""
    for part in name.replace("\\", "/").split("/"):
        plain = part.lstrip(".")
        if plain != clean_name(plain):
            raise Refused(400, f"{part!r:.100} is no name of a file or folder; {clean_name(plain)!r:.100} would be")


def _fill(file: BinaryIO, data: bytes) -> None:
    file.write(data)


def _missing(name: str) -> Refused:
    return Refused(404, f"there is no file {name!r:.100}; it may have been moved or deleted")


def _taken(name: str) -> Refused:
    return Refused(409, f"{name}: there is one of this name already; choose another name, or send overwrite=true")
