"""Errors as answers: whatever a route raises reaches the client as JSON with the right status, never as a traceback.

Also the cache headers that clients expect by path (protocol.md, section 1).
"""

import logging

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from engine.errors import LatentwireError
from server.requests.refusal import Refused
from server.v2.errors import in_v2, is_v2

CLIENT_GONE = 499  # nginx's number; nobody is there to read it, but the access log shows it

_IMAGES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".svg", ".ico", ".bmp")
_CHANGING = (".js", ".css")

_log = logging.getLogger(__name__)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Runs a handler and turns what it raises into an answer. To stand outside of every middleware that refuses."""
    try:
        return await handler(request)
    except (ConnectionError, LatentwireError, web.HTTPException, HttpProcessingError, web.RequestPayloadError) as error:
        if request.writer.output_size > 0:
            raise _cut_short(request) from error
        return _answer(request, error)
    except Exception as error:
        # A mistake of ours: the client gets an answer, the log gets the rest.
        _log.exception("%s %r failed", request.method, request.path)
        if request.writer.output_size > 0:
            raise _cut_short(request) from error
        return _shown(request, Refused(500, "The server made a mistake over this request; its log says which."))


def _answer(request: web.Request, error: Exception) -> web.StreamResponse:
    if isinstance(error, Refused):
        return _shown(request, error)
    if isinstance(error, LatentwireError):
        return _shown(request, Refused(400, str(error)))
    if isinstance(error, ConnectionError):
        return web.Response(status=CLIENT_GONE)
    if isinstance(error, web.HTTPException):
        return _shown(request, _from_aiohttp(request, error))
    damaged = "The body of the request is not as its headers say; it was cut off or is damaged."
    return _shown(request, Refused(400, damaged))


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> Refused:
    """What aiohttp itself refuses, with the headers that belong to it (Allow, for one)."""
    if error.status < 400:
        raise error
    text = error.text or error.reason
    if isinstance(error, web.HTTPMethodNotAllowed):
        text = f"{request.path}: expected {' or '.join(sorted(error.allowed_methods))}, got {error.method}"
    elif request.match_info.http_exception is not None:  # no route, rather than a route that said so
        text = f"{request.path}: there is nothing here; check the address"
    elif isinstance(error, web.HTTPRequestEntityTooLarge):
        text = f"{text}; send less"
    own = (hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH)
    return Refused(
        error.status, text, headers={name: value for name, value in error.headers.items() if name not in own}
    )


def _cut_short(request: web.Request) -> ConnectionError:
    """An answer has begun already: the only honest end is a broken connection, which clients notice."""
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("the answer had begun when it failed")


def _shown(request: web.Request, refused: Refused) -> web.Response:
    """A refusal in the shape that clients of the place read."""
    if is_v2(request.path):
        refused = in_v2(refused)
    body = {"error": str(refused)} if refused.body is None else dict(refused.body)
    return web.json_response(body, status=refused.status, headers=refused.headers)


async def add_cache_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Says how long browsers may keep an answer, by its path, where the route has not; for `on_response_prepare`.

    Source: protocol.md, 1.
    """
    if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD) or hdrs.CACHE_CONTROL in response.headers:
        return
    value = cache_control(request.path, response.status)
    if value:
        response.headers[hdrs.CACHE_CONTROL] = value


def cache_control(path: str, status: int) -> str | None:
    """The Cache-Control of a path, or None where none is needed."""
    if path == "/":
        return "no-store, must-revalidate"
    name = path.rpartition("/")[2].lower()
    if name.endswith(_CHANGING) or (name.startswith("index") and name.endswith(".json")):
        return "no-cache"
    if name.endswith(_IMAGES) and status in (200, 404):
        return "public, max-age=86400" if status == 200 else "public, max-age=3600"
    return None


@web.middleware
async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Packs JSON and texts for clients that take it, with --enable-compress-response-body.

    Streams are left alone: what is packed waits until there is enough of it.
    """
    response = await handler(request)
    is_text = response.content_type == "application/json" or response.content_type.startswith("text/")
    if is_text and isinstance(response, web.Response) and response.status == 200 and not response.prepared:
        response.enable_compression()
    return response
