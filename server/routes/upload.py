"""POST /upload/image and /upload/mask: files from clients, whole or not at all, and over nobody else's."""

import asyncio
import json
from pathlib import Path

from aiohttp import web

from engine.folders import Folders
from engine.unfinished import unfinished
from server import form, keys, pictures
from server.refusal import Refused
from server.user_files import clean_name, find, folder_for, keep, readable_errors

PART = "image"


async def upload_image(request: web.Request) -> web.Response:
    """Keeps a file of any kind for nodes to load. Returns: the name it got."""
    folders = request.app[keys.FOLDERS]
    async with form.receive(request, PART, folders.input, request.app[keys.SETTINGS].max_upload_size) as sent:
        return await _keep(folders, sent, sent.file, _name(sent))


async def upload_mask(request: web.Request) -> web.Response:
    """Keeps a picture whose colours are those of another file and whose alpha is the uploaded one's, as a PNG."""
    folders, desk = request.app[keys.FOLDERS], request.app[pictures.DESK]
    async with form.receive(request, PART, folders.input, request.app[keys.SETTINGS].max_upload_size) as sent:
        name = _name(sent)
        if not name.lower().endswith(".png"):
            name = clean_name(f"{name}.png")
        original = await asyncio.to_thread(_original, folders, sent.fields.get("original_ref"))
        with readable_errors(folders.input):
            masked = unfinished(folders.input, lambda file: pictures.write_masked(original, sent.file, file))
            whole = await desk.work(masked.__enter__)
            try:
                return await _keep(folders, sent, whole, name)
            finally:
                masked.__exit__(None, None, None)


def _name(sent: form.Form) -> str:
    if sent.filename is None:
        raise Refused(400, f"expected a file in the part {PART!r} of the form, with a file name; got none")
    return clean_name(sent.filename)


async def _keep(folders: Folders, sent: form.Form, whole: Path, name: str) -> web.Response:
    type = sent.fields.get("type") or "input"
    folder, subfolder = await asyncio.to_thread(folder_for, folders, type, sent.fields.get("subfolder", ""))
    overwrite = sent.fields.get("overwrite", "").lower() in ("true", "1")
    kept = await asyncio.to_thread(keep, whole, folder, name, overwrite=overwrite)
    return web.json_response({"name": kept, "subfolder": subfolder, "type": type})


def _original(folders: Folders, text: str | None) -> Path:
    """The file that `original_ref` names. Raises: Refused."""
    expected = 'original_ref: expected {"filename": …, "subfolder": …, "type": …} in JSON'
    try:
        reference = json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"{expected}, got {(text or 'nothing')!r:.100}") from error
    if not isinstance(reference, dict):
        raise Refused(400, f"{expected}, got {text!r:.100}")
    names = [reference.get(key) or "" for key in ("filename", "subfolder", "type")]
    if not all(isinstance(each, str) for each in names) or not names[0]:
        raise Refused(400, f"{expected}, each a text, got {text!r:.100}")
    filename, subfolder, type = names
    try:
        return find(folders, filename, subfolder, type or "output")
    except Refused as refused:
        raise Refused(400, f"original_ref: {refused}") from refused


ROUTES = (web.post("/upload/image", upload_image), web.post("/upload/mask", upload_mask))
