"""/api/v2/assets: files by their content, sent to be used in workflows, and the files that jobs made."""

import asyncio
import time
from pathlib import Path

from aiohttp import web

from server import keys
from server.files.user_files import find
from server.protocol import v2
from server.requests import form
from server.requests.body import read_object
from server.routes.v2_jobs import address, output_of
from server.routes.view import as_it_is
from server.v2.assets import Asset, hash_of, is_hash
from server.v2.errors import fault
from server.v2.job_json import LINK, content_url, iso
from server.v2.outputs import Made

PART = "file"


async def upload(request: web.Request) -> web.Response:
    """Keeps a file for workflows to use; the same content is kept once."""
    folders, assets = request.app[keys.FOLDERS], request.app[keys.ASSETS]
    async with form.receive(request, PART, folders.input, request.app[keys.SETTINGS].max_upload_size) as sent:
        name = sent.fields.get("file_path") or sent.filename
        if sent.filename is None or not name:
            raise fault(422, "invalid_request", sent.without(PART))
        if name.replace("\\", "/").lstrip("/").lower().startswith("models/"):
            message = f"file_path {name!r:.100}: models are not taken over the network; put the file into its folder"
            raise fault(422, "invalid_request", message)
        expected = sent.fields.get("expected_hash")
        if expected is not None and expected != await asyncio.to_thread(hash_of, sent.file):
            raise fault(409, "hash_mismatch", f"expected_hash {expected!r:.100} is not that of the bytes that came")
        # What a file is called by its sender decides nothing about how it is served.
        asset, is_new = await asyncio.to_thread(assets.take, sent.file, name)
    return web.json_response({**_told(request, asset), "created_new": is_new}, status=201 if is_new else 200)


async def from_hash(request: web.Request) -> web.Response:
    """The asset of a content that is here already."""
    hash = (await read_object(request)).get("hash")
    if not isinstance(hash, str) or not is_hash(hash):
        raise fault(422, "invalid_request", "hash: expected blake3: and 64 hexadecimal digits")
    asset = await asyncio.to_thread(request.app[keys.ASSETS].by_hash, hash)
    if asset is None:
        raise fault(404, "blob_not_found", "nobody has sent such a file; send it")
    return web.json_response({**_told(request, asset), "created_new": False})


async def has_hash(request: web.Request) -> web.Response:
    """Whether a content is here: 200 or 404."""
    asset = await asyncio.to_thread(request.app[keys.ASSETS].by_hash, request.match_info["hash"])
    if asset is None:
        raise fault(404, "blob_not_found", "nobody has sent such a file; send it")
    return web.Response()


async def show(request: web.Request) -> web.Response:
    """An asset, a sent one or a job's."""
    asset, output = await _found(request)
    if output is not None:
        return web.json_response(await asyncio.to_thread(_told_of_output, request, output))
    assert asset is not None
    return web.json_response(_told(request, asset))


async def content(request: web.Request) -> web.StreamResponse:
    """The bytes of an asset; ranges are understood."""
    asset, output = await _found(request)
    if output is not None:
        return await as_it_is(request, await asyncio.to_thread(_path, request, output))
    assert asset is not None
    return await as_it_is(request, await asyncio.to_thread(request.app[keys.ASSETS].path, asset))


async def remove(request: web.Request) -> web.Response:
    """Removes an asset that was sent, and its file."""
    asset, output = await _found(request)
    if output is not None:
        message = "this is a file that a job made; it goes when its job or its file is removed"
        raise fault(403, "forbidden", message)
    assert asset is not None
    await asyncio.to_thread(request.app[keys.ASSETS].remove, asset.id)
    return web.Response(status=204)


async def _found(request: web.Request) -> tuple[Asset | None, Made | None]:
    """The asset, or the output, that the address names. Raises: Refused."""
    id = request.match_info["id"]
    output = await output_of(request, id)
    asset = None if output is not None else await asyncio.to_thread(request.app[keys.ASSETS].find, id)
    if output is None and asset is None:
        raise fault(404, "not_found", "there is no such asset")
    return asset, output


def _told(request: web.Request, asset: Asset) -> v2.Asset:
    return {
        "id": asset.id,
        "hash": asset.hash,
        "size_bytes": asset.size,
        "content_type": asset.content_type,
        "file_path": asset.file_path,
        "created_at": iso(asset.created),
        "url": content_url(address(request), asset.id),
        "url_expires_at": _until(),
    }


def _told_of_output(request: web.Request, output: Made) -> v2.Asset:
    path = _path(request, output)
    found = path.stat()
    return {
        "id": output.id,
        "hash": hash_of(path),
        "size_bytes": found.st_size,
        "content_type": output.content_type,
        "file_path": output.filename,
        "created_at": iso(int(found.st_mtime * 1000)),
        "url": content_url(address(request), output.id),
        "url_expires_at": _until(),
        "job_id": output.job,
    }


def _path(request: web.Request, output: Made) -> Path:
    return find(request.app[keys.FOLDERS], output.filename, output.subfolder, output.type)


def _until() -> str:
    return iso(int(time.time() * 1000), LINK)


API_ROUTES = (
    web.post("/api/v2/assets", upload),
    web.post("/api/v2/assets/from-hash", from_hash),
    web.head("/api/v2/assets/by-hash/{hash}", has_hash),
    web.get("/api/v2/assets/{id}", show, allow_head=False),
    web.get("/api/v2/assets/{id}/content", content),
    web.delete("/api/v2/assets/{id}", remove),
)
