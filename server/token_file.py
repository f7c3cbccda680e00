"""The token that is made when somebody listens beyond this computer and gives none: kept where only they can read it.

The file is in the user folder beside the people's own folders, which no route reaches.
"""

import logging
import os
import secrets
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import SettingsError
from server.requests.security import is_loopback
from server.settings import ServerSettings

NAME = "token"
BYTES = 32  # 256 bits; nobody guesses that
SHORTEST = 16  # characters

_OTHERS = stat.S_IRWXG | stat.S_IRWXO

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """The settings with the token that counts. file: where it is kept, if it is; is_new: it was made just now."""

    settings: ServerSettings
    file: Path | None = None
    is_new: bool = False

    def told(self) -> list[str]:
        """What whoever started the server should read: a new token this once, later where it lies."""
        if self.file is None:
            return []
        if not self.is_new:
            return [f"Its token is in {self.file}"]
        return [
            f"Its token: {self.settings.token}",
            f"It is kept in {self.file} and not shown again; in a browser put ?token=… behind the address, once.",
        ]


def settle(settings: ServerSettings, user: Path) -> Settled:
    """Sees to it that whoever listens beyond this computer has a token: the one given, the one kept, or a new one.

    user: the user folder. Raises: SettingsError, when both are asked for, or the file cannot be used.
    """
    if settings.no_token:
        if settings.token is not None:
            raise SettingsError("--no-token, --token: expected one of both; leave one out")
        if not is_loopback(settings.listen):
            log.warning(
                "--listen %s, --no-token: whoever reaches this computer may use this server, and plugins run what they "
                "are asked to; leave --no-token out unless something else guards it",
                settings.listen,
            )
        return Settled(settings)
    if settings.token is not None or is_loopback(settings.listen):
        return Settled(settings)
    path = user / NAME
    token, is_new = _kept(path)
    return Settled(replace(settings, token=token), path, is_new)


def _kept(path: Path) -> tuple[str, bool]:
    """The token in the file, which is made when missing; and whether it was."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _read(path), False
        except FileNotFoundError:
            token = secrets.token_urlsafe(BYTES)
            _write(path, token)
            return token, True
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be used ({error}); remove it, or give a token with --token") from error


def _read(path: Path) -> str:
    mode = path.stat().st_mode
    if os.name == "posix" and mode & _OTHERS:
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        log.warning("%s: others on this computer could read it until now; remove it to have a new token made", path)
    token = path.read_text("utf-8").strip()
    if len(token) < SHORTEST or not token.isprintable():
        raise SettingsError(f"{path}: holds no token of {SHORTEST} characters or more; remove it to have one made")
    return token


def _write(path: Path, token: str) -> None:
    """Writes a new file that is nobody else's to read at any moment. Raises: OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{token}\n")
        file.flush()
        os.fsync(file.fileno())
