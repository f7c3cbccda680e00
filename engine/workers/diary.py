"""Which plugin is being imported at this moment, and which ones took their process with them.

A plugin may end the process while it is imported (a library crashes, os._exit) or never return. The note of its name
on the disk is what is left; whoever starts next finds it, and leaves that plugin out until its files change. The API
adds how the process ended, where it knows.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

UNKNOWN = "the process ended"


@dataclass(frozen=True, slots=True)
class Crash:
    """A plugin that must not be imported as it is. stamp: of its files then."""

    path: str
    stamp: str
    why: str


class Diary:
    """The notes in one folder. name: of the process that writes here, such as worker-0."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._note = folder / f"importing-{name}.json"

    def begin(self, path: Path, stamp: str) -> bool:
        """This plugin is imported next. Returns: False, when that cannot be written down."""
        return _write(self._note, {"path": str(path), "stamp": stamp, "pid": os.getpid()})

    def end(self) -> None:
        """It has been imported, or has failed in a way that Python knows."""
        with suppress(OSError):
            self._note.unlink(missing_ok=True)

    def conclude(self, why: str = "") -> list[str]:
        """Processes that are gone were importing something: that counts as crashed. Returns: the plugins' paths.

        why: how the process of this name ended, from whoever saw it; without it every note whose process does not live
        any more is concluded from.
        """
        crashed: list[str] = []
        for file in [self._note] if why else sorted(self._folder.glob("importing-*.json")):
            note = _read(file)
            path = str(note.get("path", ""))
            if not path or (not why and _lives(note.get("pid"))):
                continue
            crash = {"stamp": str(note.get("stamp", "")), "why": why or UNKNOWN}
            if _write(self._crashes, {**_read(self._crashes), path: crash}):
                crashed.append(path)
                with suppress(OSError):
                    file.unlink(missing_ok=True)
        return crashed

    def crashes(self) -> dict[str, Crash]:
        """The plugins that crashed when they were imported last, by their paths."""
        return {
            path: Crash(path, str(each.get("stamp", "")), str(each.get("why", UNKNOWN)))
            for path, each in _read(self._crashes).items()
            if isinstance(each, dict)
        }

    def forgive(self, path: str) -> None:
        """The plugin may be tried again."""
        known = _read(self._crashes)
        if known.pop(path, None) is not None:
            _write(self._crashes, known)

    @property
    def _crashes(self) -> Path:
        return self._folder / "crashed.json"


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):  # not there; or cut off, which an atomic write prevents
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, value: Mapping[str, Any]) -> bool:
    """Replaces the file as a whole. Returns: whether the disk took it."""
    temporary = file.with_name(f".{file.name}.{uuid4().hex[:8]}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(value), encoding="utf-8")
        os.replace(temporary, file)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        return False
    return True


def _lives(pid: object) -> bool:
    return isinstance(pid, int) and psutil.pid_exists(pid)
