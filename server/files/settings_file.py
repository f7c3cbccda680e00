"""The settings of ComfyUI's web page: one JSON object in a person's files, replaced as a whole at each change."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from server.files.user_data import UserData
from server.requests.refusal import Refused

NAME = "comfy.settings.json"
LARGEST = 16_000_000  # bytes

log = logging.getLogger(__name__)


async def read(data: UserData) -> dict[str, Any]:
    """The settings; none where there is no file yet, or none that can be read. Raises: Refused."""
    try:
        text, _, _ = await data.read(NAME)
    except Refused as refused:
        if refused.status == 404:
            return {}
        raise
    return _parsed(text) or {}


async def merge(data: UserData, news: Mapping[str, Any]) -> None:
    """Changes some settings and leaves the others; two changes at once are both kept. Raises: Refused."""

    def revised(before: bytes | None) -> bytes:
        known = None if before is None else _parsed(before)
        text = json.dumps({**(known or {}), **news}, indent=4, allow_nan=False).encode()
        if len(text) > LARGEST:
            raise Refused(413, f"the settings would be larger than {LARGEST:,} bytes; keep large things in /userdata")
        return text

    await data.revise(NAME, revised, is_whole=lambda text: _parsed(text) is not None)


def _parsed(text: bytes) -> dict[str, Any] | None:
    """The settings in a text; None, when it holds none."""
    try:
        found = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        log.error("%s holds no settings; they begin anew, and the file is kept with .damaged behind its name", NAME)
        return None
    return found
