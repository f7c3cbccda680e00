"""GET /api/plugins and POST /api/plugins/reload: what became of each plugin, and to have them imported again."""

from typing import cast

from aiohttp import web

from server import keys
from server.plugins.desk import Refusal
from server.protocol.plugins import Plugin, PluginsReloaded
from server.requests import fields, reply
from server.requests.body import read_object
from server.requests.refusal import Refused


async def show(request: web.Request) -> web.Response:
    """Every plugin there is, with its state, its error and how long its import took."""
    await request.app[keys.CATALOGUE].known()
    return reply.short(_plugins(request))


async def reload(request: web.Request) -> web.Response:
    """Imports plugins between two jobs: one by its name, a new one as well, or those that have changed or failed.

    202, when a worker is busy and will do it after its job; 409, when a plugin's route keeps a worker from doing it.
    """
    name = fields.text(await read_object(request, may_be_empty=True), "name") or None
    if name is not None and not await request.app[keys.CATALOGUE].knows(name):
        raise Refused(404, f"there is no plugin {name!r:.100}; GET /api/plugins lists them")
    try:
        reloaded = await request.app[keys.DISPATCHER].plugin_desk.reload(name)
    except Refusal as error:
        raise Refused(409, str(error)) from error
    answer: PluginsReloaded = {
        "done": reloaded is not None,
        "reloaded": reloaded or [],
        "plugins": _plugins(request),
    }
    return reply.short(answer, status=202 if reloaded is None else 200)


def _plugins(request: web.Request) -> list[Plugin]:
    return [cast(Plugin, dict(each)) for each in request.app[keys.CATALOGUE].plugins]


API_ROUTES = (web.get("/api/plugins", show), web.post("/api/plugins/reload", reload))
