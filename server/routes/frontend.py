"""GET / and below: another frontend than our editor, where --front-end-root names one."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiohttp import hdrs, web

from server import keys
from server.files.frontend import PAGE, POLICY, Frontend, type_of
from server.requests.refusal import Refused
from server.routes.view import PlainFile

HEADERS = {"Content-Security-Policy": POLICY}


async def page(request: web.Request) -> web.StreamResponse:
    """The frontend's page, with a Content-Security-Policy that it can live with."""
    return await _send(_frontend(request).page, {hdrs.CACHE_CONTROL: "no-store, must-revalidate"})


async def file(request: web.Request) -> web.StreamResponse:
    """One of the frontend's files. Raises: Refused with 404."""
    name = request.path.removeprefix("/")
    path = _frontend(request).files.get(name)
    if path is None:
        raise Refused(404, f"the frontend has no file {name!r:.200}; load the page again")
    return await _send(path, {})


async def _send(path: Path, headers: Mapping[str, str]) -> web.StreamResponse:
    if not await asyncio.to_thread(path.is_file):
        raise Refused(404, f"the frontend's {path.name!r} is gone; start the server again")
    return PlainFile(path, headers={**HEADERS, hdrs.CONTENT_TYPE: type_of(path.name), **headers})


def _frontend(request: web.Request) -> Frontend:
    found = request.app[keys.FRONTEND]
    assert found is not None, "these routes are there only with a frontend"
    return found


def routes(frontend: Frontend) -> Iterator[web.RouteDef]:
    """The routes of a frontend: its page, and whatever begins as one of its files does."""
    yield web.get("/", page)
    yield web.get(f"/{PAGE}", page)
    for beginning in frontend.entries:
        yield web.get(f"/{beginning}{{name:.+}}" if beginning.endswith("/") else f"/{beginning}", file)
