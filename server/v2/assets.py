"""Files that clients sent to be used in workflows, kept once by their content (BLAKE3) and known by an id.

The bytes lie in the input folder, where nodes load them; a small table beside the jobs knows their ids. Everything
here touches the disk: call it in a thread.
"""

import re
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from blake3 import blake3

from engine.errors import PathError
from engine.folders import Folders
from server.files.inert import type_of
from server.files.user_files import clean_name, find, keep
from server.requests.refusal import Refused

FOLDER = "assets"
"""Below the input folder. Each content has a folder of its own there, so that names do not collide."""

_PREFIX = "blake3:"
_HASH = re.compile(f"{_PREFIX}[0-9a-f]{{64}}")
_TABLE = (
    "CREATE TABLE IF NOT EXISTS asset (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,"
    " content_type TEXT NOT NULL, file_path TEXT NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL) STRICT"
)
_COLUMNS = "id, hash, size, content_type, file_path, name, created"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that was sent. name: below the input folder, as nodes name it.

    Units: created is milliseconds since 1970.
    """

    id: str
    hash: str
    size: int
    content_type: str
    file_path: str
    name: str
    created: int


class Assets:
    """The table. One connection, one user at a time; each change is on the disk when its call returns."""

    def __init__(self, folders: Folders, file: Path) -> None:
        self._folders, self._file = folders, file
        self._lock = threading.Lock()
        self._taking = threading.Lock()  # the same content may be sent twice at once
        self._connection: sqlite3.Connection | None = None

    def find(self, id: str) -> Asset | None:
        """The asset of that id, if its file is still there."""
        return self._one("id", id)

    def by_hash(self, hash: str) -> Asset | None:
        """The asset of that content, if its file is still there."""
        return self._one("hash", hash) if is_hash(hash) else None

    def take(self, whole: Path, file_path: str, content_type: str | None = None) -> tuple[Asset, bool]:
        """Keeps a file that was sent. Returns: the asset, and whether its content is new here. Raises: Refused."""
        hash = hash_of(whole)
        with self._taking:
            known = self.by_hash(hash)
            return (known, False) if known is not None else (self._add(whole, hash, file_path, content_type), True)

    def _add(self, whole: Path, hash: str, file_path: str, content_type: str | None) -> Asset:
        name = clean_name(re.split(r"[/\\]", file_path)[-1])
        part = hash.removeprefix(_PREFIX)[:16]
        kept = keep(whole, self._folders.input / FOLDER / part, name)
        place = f"{FOLDER}/{part}/{kept}"
        made = Asset(
            str(uuid4()),
            hash,
            (self._folders.input / place).stat().st_size,
            content_type or type_of(kept),
            file_path,
            place,
            int(time.time() * 1000),
        )
        with self._lock:
            values = tuple(getattr(made, column) for column in _COLUMNS.split(", "))
            self._open().execute(f"INSERT OR REPLACE INTO asset ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        return made

    def remove(self, id: str) -> bool:
        """Removes an asset and its file. Returns: whether there was one."""
        found = self.find(id)
        if found is None:
            return False
        self._forget(found)
        path = self.path(found)
        path.unlink(missing_ok=True)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
        return True

    def path(self, asset: Asset) -> Path:
        """Where its bytes are. Raises: Refused, when they are gone."""
        return find(self._folders, asset.name, "", "input")

    def close(self) -> None:
        """Closes the table."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _one(self, column: str, value: str) -> Asset | None:
        with self._lock, closing(self._open().cursor()) as cursor:
            row = cursor.execute(f"SELECT {_COLUMNS} FROM asset WHERE {column} = ?", (_plain(value),)).fetchone()
        if row is None:
            return None
        found = Asset(*row)
        try:
            self.path(found)
        except Refused:
            self._forget(found)  # somebody tidied the input folder
            return None
        return found

    def _forget(self, asset: Asset) -> None:
        with self._lock:
            self._open().execute("DELETE FROM asset WHERE id = ?", (asset.id,))

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                made = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
                made.execute("PRAGMA journal_mode = WAL")
                made.execute("PRAGMA synchronous = FULL")
                made.execute(_TABLE)
            except (sqlite3.Error, OSError) as error:
                raise PathError(f"{self._file}: the table of assets cannot be used ({error}); move it away") from error
            self._connection = made
        return self._connection


def hash_of(path: Path) -> str:
    """What a file's content is called. Source: the BLAKE3 paper, O'Connor et al. 2020."""
    return f"{_PREFIX}{blake3(max_threads=1).update_mmap(path).hexdigest()}"


def is_hash(text: str) -> bool:
    """Whether a text can be what a content is called."""
    return _HASH.fullmatch(text) is not None


def _plain(text: str) -> str:
    """The text as SQLite takes it; halves of characters name nothing."""
    return text.encode("utf-8", "replace").decode()
