"""GET /object_info: the node types there are."""

from aiohttp import web

from server import keys


async def object_info(request: web.Request) -> web.Response:
    """Every node type, its file lists read now."""
    return _json(await request.app[keys.NODE_TYPES].object_info_bytes())


async def object_info_of(request: web.Request) -> web.Response:
    """One node type, or an empty object."""
    return _json(await request.app[keys.NODE_TYPES].object_info_bytes(request.match_info["node_class"]))


def _json(text: bytes) -> web.Response:
    return web.Response(body=text, content_type="application/json", charset="utf-8")


ROUTES = (web.get("/object_info", object_info), web.get("/object_info/{node_class}", object_info_of))
