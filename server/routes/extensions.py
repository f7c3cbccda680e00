"""GET /extensions, /workflow_templates, /i18n: what the frontend and plugins add to ComfyUI's web page."""

from aiohttp import web

from server import keys
from server.requests import reply


async def scripts(request: web.Request) -> web.Response:
    """The addresses of the scripts that the page loads: the frontend's own."""
    frontend = request.app[keys.FRONTEND]
    return reply.short([] if frontend is None else frontend.scripts)


async def workflows(request: web.Request) -> web.Response:
    """The names of the example workflows of each plugin."""
    return reply.short({})


async def texts(request: web.Request) -> web.Response:
    """What plugins call their nodes, by language."""
    return reply.short({})


ROUTES = (
    web.get("/extensions", scripts),
    web.get("/workflow_templates", workflows),
    web.get("/i18n", texts),
)
