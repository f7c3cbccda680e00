"""Whose files they are: one person's, or with --multi-user those of whom a request names.

This keeps people's things apart; it keeps nobody out. Whoever may use the server may name any of them.
"""

import json
import logging
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from engine.saving import sync_folder
from engine.unfinished import unfinished
from server.files.user_data import UserData
from server.files.user_files import clean_name, readable_errors
from server.requests.refusal import Refused

DEFAULT = "default"
"""Whose files they are where nobody is named."""

LIST = "users.json"
MOST = 1000
LONGEST = 100  # characters of a name

log = logging.getLogger(__name__)


class Users:
    """The people whose files are kept below a folder, each in one of their own."""

    def __init__(self, root: Path, *, many: bool = False) -> None:
        self._root = root
        self.are_many = many
        self._lock = threading.Lock()
        self._names: dict[str, str] = _read(root / LIST) if many else {}
        self._data: dict[str, UserData] = {}

    @property
    def names(self) -> Mapping[str, str]:
        """Who there is: names by id."""
        return dict(self._names)

    @property
    def is_used(self) -> bool:
        """Whether anything has been kept for the one person yet; looks on the disk."""
        return (self._root / DEFAULT).is_dir()

    def data(self, user: str | None) -> UserData:
        """The files of a person. user: what the request says, which counts only where there are many.

        Raises: Refused with 401, for somebody whom nobody knows.
        """
        if not self.are_many or not user:
            user = DEFAULT
        if user != DEFAULT and user not in self._names:
            raise Refused(401, f"comfy-user: there is no user {user!r:.100}; GET /users lists them, POST adds one")
        if user not in self._data:
            self._data[user] = UserData(self._root / user)
        return self._data[user]

    def add(self, name: str) -> str:
        """Takes somebody in; touches the disk. Returns: their id. Raises: Refused."""
        if not self.are_many:
            raise Refused(400, "this server keeps the files of one person; start it with --multi-user for more")
        name = name.strip()
        if not name or len(name) > LONGEST:
            raise Refused(400, f"username: expected a name of 1 to {LONGEST} characters, got {len(name):,}")
        with self._lock:
            if name in self._names.values():
                raise Refused(400, "Duplicate username.")
            if len(self._names) >= MOST:
                raise Refused(400, f"there are {MOST} users already, which is the most there may be")
            plain = "".join(each if each.isalnum() or each in "-_" else "_" for each in name if each.isascii())
            user = f"{plain[:40]}_{secrets.token_hex(8)}"
            names = {**self._names, user: name}
            self._write(names)
            self._names = names
        return user

    def close(self) -> None:
        """Finishes what was begun."""
        for each in self._data.values():
            each.close()

    def _write(self, names: Mapping[str, str]) -> None:
        with readable_errors(self._root):
            self._root.mkdir(parents=True, exist_ok=True)
            text = json.dumps(names, indent=1).encode()
            with unfinished(self._root, lambda file: _fill(file, text)) as whole:
                whole.replace(self._root / LIST)
            sync_folder(self._root)


def _read(file: Path) -> dict[str, str]:
    """Who was taken in before. A list that cannot be read is said, and left as it is until somebody is added."""
    try:
        found = json.loads(file.read_bytes())
        return {user: str(name) for user, name in found.items() if _is_id(user)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        kept = file.with_name(f"{file.name}.damaged")
        log.error("%s: the list of users cannot be read (%s); it is kept as %s", file, error, kept.name)
        file.replace(kept)
        return {}


def _fill(file: BinaryIO, text: bytes) -> None:
    file.write(text)


def _is_id(user: str) -> bool:
    """Whether an id can be the name of a folder beside the others."""
    try:
        return clean_name(user) == user
    except Refused:
        return False
