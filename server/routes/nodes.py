"""GET /object_info, /global_subgraphs, /node_replacements: the node types there are, and what plugins add to them."""

from aiohttp import web

from server import keys
from server.files import subgraphs
from server.requests import reply


async def object_info(request: web.Request) -> web.Response:
    """Every node type, its file lists read now."""
    return _json(await request.app[keys.NODE_TYPES].object_info_bytes())


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
    return reply.short(request.app[keys.REPLACEMENTS])


def _json(text: bytes) -> web.Response:
    return web.Response(body=text, content_type="application/json", charset="utf-8")


ROUTES = (
    web.get("/object_info", object_info),
    web.get("/object_info/{node_class}", object_info_of),
    web.get("/global_subgraphs", shared_subgraphs),
    web.get("/global_subgraphs/{id}", shared_subgraph),
    web.get("/node_replacements", replacements),
)
