"""PromptServer.instance.user_manager: whose files a request is about. There is one user, whose folder is default."""

import json
import logging
import os
from typing import Any

from aiohttp import web

from compat.host import host
from engine.errors import PathError
from engine.folders import inside

log = logging.getLogger(__name__)


class UserSettings:
    """What the front end remembers for a user: comfy.settings.json."""

    def __init__(self, users: "UserManager") -> None:
        self._users = users

    def get_settings(self, request: web.Request | None = None) -> dict[str, Any]:
        """All of them; empty where there are none yet."""
        file = self._users.get_request_user_filepath(request, "comfy.settings.json", type="")
        try:
            with open(str(file), encoding="utf-8") as opened:
                found = json.load(opened)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read: %s", file, error)
            return {}
        return found if isinstance(found, dict) else {}

    def save_settings(self, request: web.Request | None, settings: dict[str, Any]) -> None:
        """Replaces them."""
        file = str(self._users.get_request_user_filepath(request, "comfy.settings.json", type=""))
        with open(f"{file}.part", "w", encoding="utf-8") as opened:
            json.dump(settings, opened, indent=4)
        os.replace(f"{file}.part", file)


class UserManager:
    """The users there are: one."""

    def __init__(self) -> None:
        self.users = {"default": "default"}
        self.settings = UserSettings(self)

    def get_request_user_id(self, request: web.Request | None) -> str:
        """Whose request it is."""
        return "default"

    def get_request_user_filepath(
        self,
        request: web.Request | None,
        file: str | None,
        type: str = "userdata",  # ComfyUI's word for it
        create_dir: bool = True,
    ) -> str | None:
        """A file of that user, or their folder; None for a name that leads out of it."""
        root = host().folders.user / "default"
        try:
            path = inside(root, file) if file else root
        except PathError:
            return None
        if create_dir:
            (path if file is None else path.parent).mkdir(parents=True, exist_ok=True)
        return str(path)
