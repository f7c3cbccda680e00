"""GET /models, /experiment/models, /embeddings, /view_metadata: the model files there are, and what is in them."""

import asyncio
import os
from pathlib import Path

from aiohttp import web

from engine.errors import PathError
from engine.folders import Folders
from server import keys
from server.files import model_files
from server.files.pictures import DESK
from server.files.safetensors_header import read_metadata
from server.files.user_files import without_paths
from server.requests import reply
from server.requests.refusal import Refused


async def kinds(request: web.Request) -> web.Response:
    """The kinds of model folders."""
    return web.json_response(request.app[keys.FOLDERS].kinds())


async def files(request: web.Request) -> web.Response:
    """The files of a kind, with their sub-folders; old names of kinds are understood."""
    return web.json_response(await _list(request, request.match_info["folder"]))


async def library(request: web.Request) -> web.Response:
    """The kinds of models with their folders."""
    return await reply.long(lambda: model_files.folders(request.app[keys.FOLDERS]))


async def library_files(request: web.Request) -> web.Response:
    """The files of a kind, with their sizes and dates."""
    try:
        found = await asyncio.to_thread(model_files.files, request.app[keys.FOLDERS], request.match_info["folder"])
    except PathError as error:
        raise Refused(404, str(error)) from error
    return await reply.long(lambda: found)


async def picture(request: web.Request) -> web.Response:
    """The picture of a model file: one that lies beside it, or in its header."""
    known, asked = request.app[keys.FOLDERS], request.match_info
    index = asked["index"]
    if not (index.isascii() and index.isdigit() and len(index) < 10):
        raise Refused(404, f"expected the number of a folder, got {index!r:.100}; GET /experiment/models lists them")
    data = await request.app[DESK].work(
        model_files.picture, known, asked["folder"], int(index), asked["filename"], known.temp
    )
    return web.Response(body=data, content_type="image/webp")


async def embeddings(request: web.Request) -> web.Response:
    """The names prompts use for embeddings: without the extension."""
    return web.json_response([os.path.splitext(each)[0] for each in await _list(request, "embeddings")])


async def metadata(request: web.Request) -> web.Response:
    """What the author of a safetensors file wrote into its header."""
    folder, name = request.match_info["folder"], request.query.get("filename", "")
    if not name.lower().endswith((".safetensors", ".sft")):
        raise Refused(404, "expected the name of a .safetensors file: ?filename=…")
    path = await asyncio.to_thread(_path, request.app[keys.FOLDERS], folder, name)
    found = await asyncio.to_thread(read_metadata, path)
    if found is None:
        raise Refused(404, f"{name}: there is no metadata in its header")
    return web.json_response(found)


def _path(folders: Folders, kind: str, name: str) -> Path:
    places: tuple[Path, ...] = ()
    try:
        places = folders.folders(kind)
        return folders.path(kind, name)
    except PathError as error:
        raise Refused(404, without_paths(error, kind, *places)) from error


async def _list(request: web.Request, kind: str) -> list[str]:
    try:
        return await asyncio.to_thread(request.app[keys.FOLDERS].list, kind)
    except PathError as error:
        raise Refused(404, str(error)) from error


ROUTES = (
    web.get("/models", kinds),
    web.get("/models/{folder}", files),
    web.get("/experiment/models", library),
    web.get("/experiment/models/preview/{folder}/{index}/{filename:.+}", picture),
    web.get("/experiment/models/{folder}", library_files),
    web.get("/embeddings", embeddings),
    web.get("/view_metadata/{folder}", metadata),
)
