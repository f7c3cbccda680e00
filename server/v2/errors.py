"""Errors of API v2: every one is {"error": {"code", "message", "details"}}, whoever refused."""

import functools
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from engine.errors import LatentwireError
from server.protocol.v2 import ErrorAnswer
from server.requests.refusal import Refused

CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    408: "request_timeout",
    409: "conflict",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "queue_full",
    503: "not_ready",
    507: "no_space",
}
"""What a refusal that names no code of its own is called."""


def fault(status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> Refused:
    """A refusal with a code of its own."""
    return Refused(status, message, body=_body(code, message, details))


def spoken_in_v2(handler: Handler) -> Handler:
    """The handler, its refusals in the shape that clients of v2 read."""

    @functools.wraps(handler)
    async def speaking(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as error:
            raise _translated(error) from error
        except LatentwireError as error:
            raise fault(400, "invalid_request", str(error)) from error

    return speaking


def _translated(error: Refused) -> Refused:
    inner = (error.body or {}).get("error")
    if isinstance(inner, Mapping) and "code" in inner:
        return error
    code, details, status = CODES.get(error.status, "invalid_request"), None, error.status
    if isinstance(inner, Mapping) and "type" in inner:  # POST /prompt's own shape
        details = {"type": inner["type"], "details": inner.get("details"), **_nodes(error.body or {})}
        if error.status == 400:
            code, status = "invalid_workflow", 422
    return Refused(status, str(error), body=_body(code, str(error), details), headers=error.headers)


def _nodes(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"node_errors": body["node_errors"]} if body.get("node_errors") else {}


def _body(code: str, message: str, details: Mapping[str, Any] | None) -> ErrorAnswer:
    return {"error": {"code": code, "message": message, "details": details}}
