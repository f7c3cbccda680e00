"""Where a client that comes back left off: the number of the last event it has."""

from aiohttp import web

from server.requests.refusal import Refused

HEADER = "Last-Event-ID"
QUERY = "since"


def last_event(request: web.Request) -> int | None:
    """The number, or None where the client names none. The header wins: browsers keep it up to date, the address not.

    An empty header names none: so a client has it before the first event. Source: HTML Standard, 9.2.

    Raises: Refused, when it is no number.
    """
    for name, text in ((HEADER, request.headers.get(HEADER) or None), (QUERY, request.query.get(QUERY))):
        if text is not None:
            if not (text.isascii() and text.isdigit() and len(text) <= 18):
                raise Refused(400, f"{name}: expected the number of an event, got {text[:40]!r}")
            return int(text)
    return None
