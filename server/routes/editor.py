"""GET / and /latentwire/: the editor, and the files it is made of. Where none was built, a few lines say how to.

It is always below /latentwire/, and at / too unless another frontend has that place.
"""

import asyncio

from aiohttp import hdrs, web

from server import keys
from server.files.bundle import TYPES
from server.requests.refusal import Refused
from server.routes.view import PlainFile

WITHOUT_EDITOR = """Latentwire is running, without its editor, which has not been built here.

Build it:          python web/build.py   (in the project's folder; then start the server again)
Queue a workflow:  curl -X POST --data-binary @workflows/text_to_image.json http://{host}/prompt
See what became:   curl http://{host}/history
What else it does: docs/http_api.md
"""

BELOW = "/latentwire"

FOR_EVER = "public, max-age=31536000, immutable"  # the names of these files change with what is in them


async def page(request: web.Request) -> web.Response:
    """The editor's page, with a Content-Security-Policy made for this answer."""
    bundle = await asyncio.to_thread(request.app[keys.EDITOR].take)
    if bundle is None:
        return web.Response(text=WITHOUT_EDITOR.format(host=request.host))
    text, policy = bundle.fresh_page(root="./" if request.path == "/" else "../")
    return web.Response(
        text=text,
        content_type="text/html",
        headers={
            "Content-Security-Policy": policy,
            "Cross-Origin-Opener-Policy": "same-origin",
            hdrs.CACHE_CONTROL: "no-store, must-revalidate",
        },
    )


async def file(request: web.Request) -> web.StreamResponse:
    """One of the editor's files. Raises: Refused with 404."""
    return await _send(request, f"assets/{request.match_info['name']}", FOR_EVER)


async def icon(request: web.Request) -> web.StreamResponse:
    """The picture in the browser's tab. Raises: Refused with 404."""
    return await _send(request, "icon.svg", "public, max-age=86400")


async def to_folder(request: web.Request) -> web.Response:
    """The page's files stand beside it, so its address ends with a slash."""
    raw = request.rel_url.raw_query_string  # as it was sent: a header has no place for line breaks
    query = f"?{raw}" if raw else ""
    return web.Response(status=308, headers={hdrs.LOCATION: f"{BELOW.removeprefix('/')}/{query}"})


async def _send(request: web.Request, name: str, keep: str) -> web.StreamResponse:
    bundle = await asyncio.to_thread(request.app[keys.EDITOR].take)
    path = None if bundle is None else bundle.files.get(name)
    if path is None or not await asyncio.to_thread(path.is_file):
        raise Refused(404, f"the editor has no file {name!r:.100}; load the page again, it may have been built anew")
    return PlainFile(path, headers={hdrs.CONTENT_TYPE: TYPES[path.suffix], hdrs.CACHE_CONTROL: keep})


ROUTES = (web.get("/", page), web.get("/assets/{name}", file), web.get("/icon.svg", icon))

ALWAYS = (
    web.get(BELOW, to_folder),
    web.get(f"{BELOW}/", page),
    web.get(f"{BELOW}/assets/{{name}}", file),
    web.get(f"{BELOW}/icon.svg", icon),
    web.get("/favicon.ico", icon),
)
"""The same where no other frontend can take its place."""
