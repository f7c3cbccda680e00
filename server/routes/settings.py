"""/settings and /users: what ComfyUI's web page remembers, and for whom."""

import asyncio

from aiohttp import web

from server import keys
from server.files import settings_file
from server.protocol.files import ManyUsers, OneUser
from server.requests import body, fields, reply
from server.requests.refusal import Refused
from server.routes.user_data import user_data


async def show(request: web.Request) -> web.Response:
    """Every setting that was changed."""
    return reply.short(await settings_file.read(user_data(request)))


async def show_one(request: web.Request) -> web.Response:
    """One setting; null when nobody has changed it."""
    return reply.short((await settings_file.read(user_data(request))).get(request.match_info["id"]))


async def change(request: web.Request) -> web.Response:
    """Changes the settings that are sent and leaves the others."""
    data = user_data(request)
    await settings_file.merge(data, await body.read_object(request))
    return web.Response()


async def change_one(request: web.Request) -> web.Response:
    """Changes one setting to any value of JSON."""
    data, name = user_data(request), request.match_info["id"]
    if len(name) > fields.MAX_TEXT:
        raise Refused(400, f"expected the name of a setting of at most {fields.MAX_TEXT:,} characters")
    await settings_file.merge(data, {name: body.parse(await body.read(request, body.MAX_ORDER))})
    return web.Response()


async def users(request: web.Request) -> web.Response:
    """Who there is; or that the files of one person are kept, and whether there are any."""
    found = request.app[keys.USERS]
    if found.are_many:
        return reply.short(ManyUsers(storage="server", users=found.names))
    return reply.short(OneUser(storage="server", migrated=await asyncio.to_thread(lambda: found.is_used)))


async def add_user(request: web.Request) -> web.Response:
    """Takes somebody in. Returns: their id."""
    sent = await body.read_object(request)
    return reply.short(await asyncio.to_thread(request.app[keys.USERS].add, fields.text(sent, "username") or ""))


ROUTES = (
    web.get("/settings", show),
    web.get("/settings/{id}", show_one),
    web.post("/settings", change),
    web.post("/settings/{id}", change_one),
    web.get("/users", users),
    web.post("/users", add_user),
)
