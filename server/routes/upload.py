"""POST /upload/image and /upload/mask: files from clients, whole or not at all, and over nobody else's."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from engine.folders import Folders
from engine.unfinished import unfinished
from server import keys
from server.files import pictures
from server.files.user_files import clean_name, find, folder_for, keep, readable_errors
from server.protocol.files import Uploaded
from server.requests import form
from server.requests.refusal import Refused

PART = "image"


async def upload_image(request: web.Request) -> web.Response:
    """Keeps a file of any kind for nodes to load. Returns: the name it got."""
    folders = request.app[keys.FOLDERS]
    async with form.receive(request, PART, folders.input, request.app[keys.SETTINGS].max_upload_size) as sent:
        name = _name(sent)
        place = await asyncio.to_thread(_place, folders, sent.fields)
        return _told(place, await asyncio.to_thread(keep, sent.file, place.folder, name, overwrite=place.overwrite))


async def upload_mask(request: web.Request) -> web.Response:
    """Keeps a picture whose colours are those of another file and whose alpha is the uploaded one's, as a PNG."""
    folders = request.app[keys.FOLDERS]
    async with form.receive(request, PART, folders.input, request.app[keys.SETTINGS].max_upload_size) as sent:
        name = _name(sent)
        if not name.lower().endswith(".png"):
            name = clean_name(f"{name}.png")
        original = await asyncio.to_thread(_original, folders, sent.fields.get("original_ref"))
        place = await asyncio.to_thread(_place, folders, sent.fields)
        return _told(place, await request.app[pictures.DESK].work(_keep_masked, original, sent.file, place, name))


@dataclass(frozen=True, slots=True)
class Place:
    """Where an upload goes."""

    folder: Path
    subfolder: str
    type: str
    overwrite: bool


def _name(sent: form.Form) -> str:
    if sent.filename is None:
        raise Refused(400, sent.without(PART))
    return clean_name(sent.filename)


def _place(folders: Folders, fields: Mapping[str, str]) -> Place:
    type = fields.get("type") or "input"
    folder, subfolder = folder_for(folders, type, fields.get("subfolder", ""))
    return Place(folder, subfolder, type, fields.get("overwrite", "").lower() in ("true", "1"))


def _told(place: Place, name: str) -> web.Response:
    return web.json_response(Uploaded(name=name, subfolder=place.subfolder, type=place.type))


def _keep_masked(original: Path, painted: Path, place: Place, name: str) -> str:
    with (
        readable_errors(painted.parent),
        unfinished(painted.parent, lambda file: pictures.write_masked(original, painted, file)) as whole,
    ):
        return keep(whole, place.folder, name, overwrite=place.overwrite)


def _original(folders: Folders, text: str | None) -> Path:
    """The file that `original_ref` names. Raises: Refused."""
    expected = 'original_ref: expected {"filename": …, "subfolder": …, "type": …} in JSON'
    try:
        reference = json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"{expected}, got {(text or 'nothing')!r:.100}") from error
    if not isinstance(reference, dict):
        raise Refused(400, f"{expected}, got {text!r:.100}")
    filename, subfolder, type = (reference.get(key) for key in ("filename", "subfolder", "type"))
    if not filename or not all(isinstance(each, str | None) for each in (filename, subfolder, type)):
        raise Refused(400, f"{expected}, each a text, got {text!r:.100}")
    try:
        return find(folders, filename, subfolder or "", type or "output")
    except Refused as refused:
        raise Refused(400, f"original_ref: {refused}") from refused


ROUTES = (web.post("/upload/image", upload_image), web.post("/upload/mask", upload_mask))
