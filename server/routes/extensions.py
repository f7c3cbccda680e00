"""GET /extensions, /workflow_templates, /i18n: what the frontend and plugins add to ComfyUI's web page."""

import asyncio

from aiohttp import hdrs, web

from server import keys
from server.files import inert
from server.files.frontend import type_of
from server.plugins import offered
from server.requests import reply
from server.requests.refusal import Refused
from server.routes.view import PlainFile


async def scripts(request: web.Request) -> web.Response:
    """The addresses of the scripts that the page loads: the frontend's own, and those of plugins."""
    frontend, catalogue = request.app[keys.FRONTEND], request.app[keys.CATALOGUE]
    await catalogue.known()
    found = await asyncio.to_thread(offered.scripts, catalogue.web())
    return reply.short([*([] if frontend is None else frontend.scripts), *found])


async def file(request: web.Request) -> web.StreamResponse:
    """A file of a plugin's folder for browsers. Raises: Refused with 404."""
    name, path = request.match_info["name"], request.match_info["path"]
    catalogue = request.app[keys.CATALOGUE]
    await catalogue.known()
    folder = catalogue.web().get(name)
    found = None if folder is None else await asyncio.to_thread(offered.file, folder, path)
    if found is None:
        raise Refused(404, f"plugin {name!r:.100} has no file {path!r:.200} for browsers; GET /extensions lists them")
    return PlainFile(found, headers={hdrs.CONTENT_TYPE: type_of(found.name), hdrs.CACHE_CONTROL: "no-cache"})


async def workflows(request: web.Request) -> web.Response:
    """The names of the example workflows of each plugin."""
    await request.app[keys.CATALOGUE].known()
    return reply.short(await asyncio.to_thread(offered.examples, request.app[keys.CATALOGUE].folders()))


async def workflow(request: web.Request) -> web.StreamResponse:
    """An example workflow of a plugin, or a picture beside it. Raises: Refused with 404."""
    pack, path = request.match_info["pack"], request.match_info["path"]
    folders = request.app[keys.CATALOGUE].folders()
    found = await asyncio.to_thread(offered.example, folders, pack, path)
    if found is None:
        raise Refused(404, f"plugin {pack!r:.100} has no example {path!r:.200}; GET /workflow_templates lists them")
    # Unlike the scripts above, this is no code: authors' examples are often other people's.
    return PlainFile(found, headers={**inert.INERT, hdrs.CONTENT_TYPE: inert.type_of(found.name)})


async def texts(request: web.Request) -> web.Response:
    """What plugins call their nodes, by language."""
    catalogue = request.app[keys.CATALOGUE]
    await catalogue.known()
    return await reply.long(lambda: offered.texts(catalogue.folders()))


ROUTES = (
    web.get("/extensions", scripts),
    web.get("/extensions/{name}/{path:.+}", file),
    web.get("/workflow_templates", workflows),
    web.get("/i18n", texts),
)

API_ROUTES = (web.get("/api/workflow_templates/{pack}/{path:.+}", workflow),)
