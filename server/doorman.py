"""Connections before they are requests: how many there may be, and how long one may take to ask its first question."""

import asyncio
import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

FIRST_REQUEST = 20.0  # seconds to send the head of a first request
MOST = 4000  # connections
SPARE = 200  # descriptors left to files, pipes and workers

log = logging.getLogger("server.http")


class Doorman:
    """Makes what answers a connection; those that are one too many are closed at once."""

    def __init__(self, server: web.Server, most: int, *, patience: float = FIRST_REQUEST) -> None:
        self._server, self._most, self._patience = server, most, patience

    def __call__(self) -> asyncio.BaseProtocol:
        """The protocol of a new connection."""
        if len(self._server.connections) >= self._most:
            return _Closed()
        handler = self._server()
        asyncio.get_running_loop().call_later(self._patience, self._look_after, handler)
        return handler

    def _look_after(self, handler: web.RequestHandler) -> None:
        # aiohttp waits for the first request for ever; it counts the heads that it has read.
        if getattr(handler, "_request_count", 1) == 0:
            handler.force_close()


class _Closed(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def room_for_connections() -> int:
    """How many connections this process may hold, after asking the system for as many descriptors as it gives."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
        except (OSError, ValueError):
            pass
    return MOST if soft == resource.RLIM_INFINITY else max(1, min(MOST, soft - SPARE))


def request_log() -> logging.Logger:
    """Where aiohttp tells of requests that it could not even read: they are the clients' mistakes and not ours."""
    if not any(isinstance(each, _Mistakes) for each in log.filters):
        log.addFilter(_Mistakes())
    return log


class _Mistakes(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | ConnectionError):
            log.debug("a request that is none: %s", " ".join(str(error).split())[:200])
            return False
        return True
