"""Errors of API v2: every one is {"error": {"code", "message", "details"}}, whoever refused."""

from collections.abc import Mapping
from typing import Any

from server.protocol.v2 import ErrorAnswer
from server.requests.refusal import Refused

BELOW = "/api/v2"
OLDER = f"{BELOW}/userdata"

CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    412: "precondition_failed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    429: "queue_full",
    503: "not_ready",
    504: "gateway_timeout",
    507: "no_space",
}
"""What a refusal that names no code of its own is called."""


def fault(status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> Refused:
    """A refusal with a code of its own."""
    return Refused(status, message, body=_body(code, message, details))


def is_v2(path: str) -> bool:
    """Whether an address belongs to API v2, also where there is nothing; ComfyUI's own /v2/userdata does not."""
    return path == BELOW or (path.startswith(f"{BELOW}/") and path != OLDER)


def in_v2(error: Refused) -> Refused:
    """A refusal in the shape that clients of v2 read."""
    inner = (error.body or {}).get("error")
    if isinstance(inner, Mapping) and "code" in inner:
        return error
    other = "internal_error" if error.status >= 500 else "invalid_request"
    code, details, status = CODES.get(error.status, other), None, error.status
    if isinstance(inner, Mapping) and "type" in inner:  # POST /prompt's own shape
        details = {"type": inner["type"], "details": inner.get("details"), **_nodes(error.body or {})}
        if error.status == 400:
            code, status = "invalid_workflow", 422
    return Refused(status, str(error), body=_body(code, str(error), details), headers=error.headers)


def _nodes(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"node_errors": body["node_errors"]} if body.get("node_errors") else {}


def _body(code: str, message: str, details: Mapping[str, Any] | None) -> ErrorAnswer:
    return {"error": {"code": code, "message": message, "details": details}}
