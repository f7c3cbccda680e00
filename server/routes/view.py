"""GET /view: users' files, and pictures made from them, served so that no browser runs what is inside."""

import asyncio
import os
import zlib
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from server import keys
from server.files import conditions, pictures
from server.files.inert import INERT, disposition, type_of
from server.files.user_files import find
from server.requests.query import whole
from server.requests.refusal import Refused
from server.v2.assets import is_hash

SMALLEST, LARGEST = 16, 2048
"""Pixels of the longer side of a preview. Without `size` it is as large as its picture."""


async def view(request: web.Request) -> web.StreamResponse:
    """The file, a smaller picture of it (preview=) or its colours or alpha alone (channel=)."""
    query = request.query
    path = await asyncio.to_thread(_named, request)
    if "preview" in query or query.get("channel") in ("rgb", "a"):
        return await made(request, path)
    return await as_it_is(request, path)


def _named(request: web.Request) -> Path:
    """The file that the query names: by where it is, or by its content (filename=blake3:…). Raises: Refused."""
    query, name = request.query, request.query.get("filename", "")
    if not is_hash(name):
        return find(request.app[keys.FOLDERS], name, query.get("subfolder", ""), query.get("type") or "output")
    assets = request.app[keys.ASSETS]
    asset = assets.by_hash(name)
    if asset is None:
        raise Refused(404, "nobody has sent a file of that content; see POST /api/v2/assets")
    return assets.path(asset)


async def made(request: web.Request, path: Path) -> web.Response:
    """A picture made from a file, if the client does not have it already. Raises: ImageError, Refused."""
    query, side = request.query, whole(request, "size", least=SMALLEST)
    if side is not None and side > LARGEST:
        raise Refused(400, f"size: expected at most {LARGEST} pixels, got {side}")
    asked = repr((query.get("preview"), query.get("channel"), side))
    tag = f"{conditions.tag(await _found(path))}-{zlib.crc32(asked.encode('utf-8', 'replace')):x}"
    headers = {**INERT, hdrs.ETAG: f'"{tag}"'}
    if request.if_none_match is not None and any(each.value in ("*", tag) for each in request.if_none_match):
        return web.Response(status=304, headers=headers)
    desk = request.app[pictures.DESK]
    if "preview" in query:
        # ComfyUI: the alpha that a channel asks for counts only when it was asked for.
        data, type = await desk.work(pictures.preview, path, query["preview"], query.get("channel", ""), side)
    elif query["channel"] == "rgb":
        data, type = await desk.work(pictures.without_alpha, path), "image/png"
    else:
        data, type = await desk.work(pictures.alpha_only, path), "image/png"
    return web.Response(body=data, headers={**headers, hdrs.CONTENT_TYPE: type, **disposition(path.name, type)})


class PlainFile(web.FileResponse):
    """A file as it lies there; never the .gz beside it, which is another file of somebody's."""

    def _get_file_path_stat_encoding(self, accept_encoding: str) -> tuple[Path | None, os.stat_result, str | None]:
        # aiohttp has no public way to say so; test_view.py notices when this one is gone.
        return super()._get_file_path_stat_encoding("")


class WholeFile(PlainFile):
    """The same for a request whose range does not count."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return await super().prepare(conditions.for_all(request))


async def as_it_is(request: web.Request, path: Path) -> web.FileResponse:
    """A file for a client: ranges, dates and all. Raises: Refused."""
    found = await _found(path)
    conditions.refuse(request, found)
    response = WholeFile if conditions.is_for_all(request, found) else PlainFile
    type = type_of(path.name)
    return response(path, headers={**INERT, hdrs.CONTENT_TYPE: type, **disposition(path.name, type)})


async def _found(path: Path) -> os.stat_result:
    try:
        return await asyncio.to_thread(path.stat)
    except OSError as error:
        raise Refused(404, f"there is no file {path.name!r} any more") from error


ROUTES = (web.get("/view", view),)
