"""GET /api/templates: workflows to start from."""

import asyncio

from aiohttp import web

from server import keys
from server.files import templates
from server.protocol.files import Template
from server.requests import reply
from server.requests.refusal import Refused


async def show(request: web.Request) -> web.Response:
    """The workflows that ship, in the order in which a newcomer wants to see them."""
    found = await asyncio.to_thread(templates.read_all, request.app[keys.TEMPLATES])
    return reply.short([_told(each) for each in found])


async def show_one(request: web.Request) -> web.Response:
    """A workflow as editors keep it. The pictures it loads are in the input folder by then."""
    name = request.match_info["name"]
    for each in await asyncio.to_thread(templates.read_all, request.app[keys.TEMPLATES]):
        if each.name == name:
            await asyncio.to_thread(templates.lay_out, each, request.app[keys.FOLDERS].input)
            text = await asyncio.to_thread(each.file.read_text, "utf-8")
            return web.Response(text=text, content_type=reply.JSON, charset="utf-8")
    raise Refused(404, f"there is no template {name!r:.100}; GET /api/templates lists them")


def _told(template: templates.Template) -> Template:
    return {
        "name": template.name,
        "title": template.title,
        "description": template.description,
        "path": f"/templates/{template.name}",
    }


API_ROUTES = (web.get("/api/templates", show), web.get("/api/templates/{name}", show_one))
