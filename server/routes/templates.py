"""GET /api/templates, /templates: workflows to start from; the latter as ComfyUI's web page lists them."""

import asyncio
from pathlib import Path

from aiohttp import hdrs, web

from server import keys
from server.files import template_packs, templates
from server.files.inert import INERT, type_of
from server.protocol.files import Template
from server.requests import reply
from server.requests.refusal import Refused
from server.routes.view import PlainFile


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


async def show_picture(request: web.Request) -> web.StreamResponse:
    """What a workflow draws, small. Raises: Refused with 404 where no picture ships."""
    name = request.match_info["name"]
    for each in await asyncio.to_thread(templates.read_all, request.app[keys.TEMPLATES]):
        if each.name == name and each.picture.is_file():
            return _plain(each.picture, each.picture.name)
    raise Refused(404, f"there is no picture of a template {name!r:.100}; those that run with what ships have one")


async def pack_file(request: web.Request) -> web.StreamResponse:
    """A list of templates, a template, or a picture of one. Raises: Refused with 404."""
    name, shipped = request.match_info["name"], request.app[keys.TEMPLATES]
    packs = await asyncio.to_thread(template_packs.installed)
    if template_packs.INDEX.fullmatch(name):
        return await reply.long(lambda: template_packs.index(name, shipped, packs))
    own = await asyncio.to_thread(template_packs.own_template, name, shipped)
    if own is not None and name.endswith(".json"):
        await asyncio.to_thread(templates.lay_out, own, request.app[keys.FOLDERS].input)
        return _plain(own.file, name)
    if own is not None and own.picture.is_file():
        return _plain(own.picture, name)
    if name in packs.files:
        return _plain(packs.files[name], name)
    if name == template_packs.LOGOS:
        return reply.short({})
    raise Refused(404, f"there is no template {name!r:.100}; GET /templates/index.json lists them")


def _plain(path: Path, name: str) -> web.StreamResponse:
    # A package's pictures and films are shown; what a browser could run is not.
    return PlainFile(path, headers={**INERT, hdrs.CONTENT_TYPE: type_of(name)})


def _told(template: templates.Template) -> Template:
    return {
        "name": template.name,
        "title": template.title,
        "description": template.description,
        "path": f"/templates/{template.name}",
        "needs": [*template.needs],
    }


API_ROUTES = (
    web.get("/api/templates", show),
    web.get("/api/templates/{name}", show_one),
    web.get("/api/templates/{name}/picture", show_picture),
)

BARE_ROUTES = (web.get("/templates/{name:.+}", pack_file),)
