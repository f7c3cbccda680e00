"""/userdata: what the editor keeps for a person, with the versions that keep two tabs from overwriting each other."""

from contextlib import AsyncExitStack

from aiohttp import ETag, hdrs, web

from server import keys
from server.files.inert import INERT, disposition, type_of
from server.files.user_data import LARGEST, Conditions, Stored, UserData
from server.protocol.files import UserEntry, UserFile
from server.requests import reply
from server.requests.reading import Reading
from server.requests.refusal import Refused

USER = "comfy-user"
"""The header that names a person, with --multi-user."""

PATIENCE = 10.0  # seconds for which a file waits until there is memory for it


def user_data(request: web.Request) -> UserData:
    """The files of the person whom a request names. Raises: Refused with 401."""
    return request.app[keys.USERS].data(request.headers.get(USER))


async def show(request: web.Request) -> web.Response:
    """The names of the files in a folder; with full_info more of each, with split their parts."""
    folder = request.query.get("dir", "")
    if not folder:
        raise Refused(400, "expected the name of a folder: ?dir=…")
    found = await user_data(request).files(folder, recurse=_flag(request, "recurse"))
    if _flag(request, "full_info"):
        return await reply.long(lambda: [_told(each) for each in found])
    if _flag(request, "split"):
        return await reply.long(lambda: [[each.path, *each.path.split("/")] for each in found])
    return await reply.long(lambda: [each.path for each in found])


async def show_entries(request: web.Request) -> web.Response:
    """Everything below a folder, folders first."""
    found = await user_data(request).entries(request.query.get("path", ""))
    return await reply.long(lambda: [_entry(stored, is_folder) for stored, is_folder in found])


async def read(request: web.Request) -> web.Response:
    """A file, with its version as ETag."""
    data, tag, stored = await user_data(request).read(request.match_info["file"])
    known = request.if_none_match
    headers = {**INERT, hdrs.ETAG: f'"{tag}"'}
    if known is not None and any(each.value in ("*", tag) for each in known):
        return web.Response(status=304, headers=headers)
    type = type_of(stored.path)
    named = disposition(stored.path.rpartition("/")[2], type)
    return web.Response(body=data, headers={**headers, hdrs.CONTENT_TYPE: type, **named})


async def style(request: web.Request) -> web.Response:
    """The style that a person adds to ComfyUI's web page: their user.css, or an empty one."""
    try:
        data, _, _ = await user_data(request).read("user.css")
    except Refused as refused:
        if refused.status != 404:
            raise
        data = b""
    return web.Response(body=data, headers={hdrs.CONTENT_TYPE: "text/css; charset=utf-8"})


async def write(request: web.Request) -> web.Response:
    """Keeps what was sent as a file."""
    store, reading = user_data(request), Reading(request, LARGEST)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(store.room.take(reading.most, patience=PATIENCE))
        except TimeoutError:
            message = "as many files are being received as there is memory for; send it again in some seconds"
            raise Refused(503, message, headers={hdrs.RETRY_AFTER: "5"}) from None
        stored, tag = await store.write(
            request.match_info["file"],
            await reading.whole(store.room.is_wanted),
            overwrite=_flag(request, "overwrite", default=True),
            conditions=_conditions(request),
        )
    return _changed(request, stored, tag)


async def delete(request: web.Request) -> web.Response:
    """Removes a file."""
    await user_data(request).delete(request.match_info["file"], conditions=_conditions(request))
    return web.Response(status=204)


async def move(request: web.Request) -> web.Response:
    """Gives a file another name."""
    stored, tag = await user_data(request).move(
        request.match_info["file"],
        request.match_info["dest"],
        overwrite=_flag(request, "overwrite", default=True),
        conditions=_conditions(request),
    )
    return _changed(request, stored, tag)


def _changed(request: web.Request, stored: Stored, tag: str) -> web.Response:
    answer = reply.short(_told(stored) if _flag(request, "full_info") else stored.path)
    answer.headers[hdrs.ETAG] = f'"{tag}"'
    return answer


def _told(stored: Stored) -> UserFile:
    return {"path": stored.path, "size": stored.size, "modified": stored.modified, "created": stored.created}


def _entry(stored: Stored, is_folder: bool) -> UserEntry:
    name = stored.path.rpartition("/")[2]
    if is_folder:
        return {"name": name, "path": stored.path, "type": "directory"}
    return {"name": name, "path": stored.path, "type": "file", "size": stored.size, "modified": stored.modified}


def _flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    # ComfyUI: whatever is not the word for the other is the default.
    return request.query.get(name, "").strip().lower() != "false" if default else _is_true(request, name)


def _is_true(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").strip().lower() in ("true", "1")


def _conditions(request: web.Request) -> Conditions:
    """What the client makes the change depend on. A weak tag says too little to change a file by."""
    return Conditions(
        match=_tags(request.if_match, weak=False),
        none_match=_tags(request.if_none_match, weak=True),
    )


def _tags(found: tuple[ETag, ...] | None, *, weak: bool) -> tuple[str, ...] | None:
    return None if found is None else tuple(each.value for each in found if weak or not each.is_weak)


ROUTES = (
    web.get("/userdata", show),
    web.get("/v2/userdata", show_entries),
    web.get("/user.css", style),
    web.get("/userdata/{file}", read),
    web.post("/userdata/{file}", write),
    web.delete("/userdata/{file}", delete),
    web.post("/userdata/{file}/move/{dest}", move),
)
