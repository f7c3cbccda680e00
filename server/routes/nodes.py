"""GET /object_info, /global_subgraphs, /node_replacements: the node types there are, and what plugins add to them."""

import asyncio

from aiohttp import hdrs, web
from yarl import URL

from server import keys
from server.files import frontend_nodes, subgraphs
from server.requests import reply
from server.routes.editor import BELOW


async def object_info(request: web.Request) -> web.Response:
    """Every node type, its file lists read now."""
    types = request.app[keys.NODE_TYPES]
    text = await types.object_info_bytes()
    if _is_of_frontend(request):
        known = await types.registry()
        text = await asyncio.to_thread(frontend_nodes.added, text, known, request.app[keys.FOLDERS])
    return _json(text)


async def object_info_of(request: web.Request) -> web.Response:
    """One node type, or an empty object."""
    return _json(await request.app[keys.NODE_TYPES].object_info_bytes(request.match_info["node_class"]))


async def shared_subgraphs(request: web.Request) -> web.Response:
    """The sub-graphs that plugins offer."""
    plugins = request.app[keys.FOLDERS].folders("custom_nodes")
    return await reply.long(lambda: subgraphs.list_all(plugins))


async def shared_subgraph(request: web.Request) -> web.Response:
    """One of them with its graph. Raises: Refused with 404."""
    plugins, id = request.app[keys.FOLDERS].folders("custom_nodes"), request.match_info["id"]
    return await reply.long(lambda: subgraphs.read(plugins, id))


async def replacements(request: web.Request) -> web.Response:
    """What to put in place of node types that are gone."""
    return reply.short(dict(request.app[keys.CATALOGUE].replacements))


def _is_of_frontend(request: web.Request) -> bool:
    """Whether the page at / asks, and it is another frontend than our editor; programs get what there is."""
    if request.app[keys.FRONTEND] is None or request.headers.get("Sec-Fetch-Site") != "same-origin":
        return False
    return not URL(request.headers.get(hdrs.REFERER, "")).path.startswith(f"{BELOW}/")


def _json(text: bytes) -> web.Response:
    return web.Response(body=text, content_type="application/json", charset="utf-8")


ROUTES = (
    web.get("/object_info", object_info),
    web.get("/object_info/{node_class}", object_info_of),
    web.get("/global_subgraphs", shared_subgraphs),
    web.get("/global_subgraphs/{id}", shared_subgraph),
    web.get("/node_replacements", replacements),
)
