"""What is counted while the server works: plain numbers that cost next to nothing to raise.

`exposition.py` makes Prometheus' text of them when somebody asks; prometheus_client is not imported before that.
"""

import copy
import logging
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds: bounds for what should take milliseconds."""

SLOW = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Seconds: bounds for what draws."""

MAX_CLASSES = 200
"""Node classes counted by name; plugins may bring thousands, the rest is counted together as "other"."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
UNMATCHED = "unmatched"

Key = TypeVar("Key")

_access = logging.getLogger("server.access")


class Histogram:
    """How many values fell up to each bound, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Counts a value; a clock that was set back makes none negative."""
        value = max(0.0, value)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Tally:
    """What has happened since the process began."""

    def __init__(self) -> None:
        self.began = time.time()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.waited = Histogram(SLOW)
        self.ran = Histogram(SLOW)
        self.nodes: dict[str, Histogram] = {}
        self.requests: dict[tuple[str, str, int], Histogram] = {}
        self.events_sent = 0
        self.clients_dropped = 0

    def job_ended(self, state: str, cause: str | None, waited: float | None, ran: float | None) -> None:
        """A job came to its end, after so many seconds in the queue and with a worker (None: it never got there)."""
        self.ended[str(state), cause or ""] += 1
        if waited is not None:
            self.waited.add(waited)
        if ran is not None:
            self.ran.add(ran)

    def node_ran(self, class_type: str, seconds: float) -> None:
        """A node was executed."""
        if class_type not in self.nodes:
            class_type = class_type if len(self.nodes) < MAX_CLASSES else OTHER
        _of(self.nodes, class_type, SLOW).add(seconds)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. route: the pattern of its path, so that ids in it do not make new rows."""
        key = (route, method if method in METHODS else OTHER, status)
        _of(self.requests, key, QUICK).add(seconds)

    def event_sent(self, n: int = 1) -> None:
        """So many messages went to a client."""
        self.events_sent += n

    def client_dropped(self) -> None:
        """A client that did not read was let go."""
        self.clients_dropped += 1

    def snapshot(self) -> "Tally":
        """A copy that no longer changes, for another thread."""
        return copy.deepcopy(self)


TALLY = web.AppKey("tally", Tally)


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Counts a request and how long it took; outermost, so that refusals count too."""
    begun, status = time.perf_counter(), 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as error:
        status = error.status
        raise
    finally:
        seconds = time.perf_counter() - begun
        resource = request.match_info.route.resource
        route = UNMATCHED if resource is None else resource.canonical
        request.app[TALLY].request(route, request.method, status, seconds)
        if _access.isEnabledFor(logging.DEBUG):
            # Without the query: it may hold a token.
            fields = {"method": request.method, "path": request.path, "status": status, "seconds": round(seconds, 6)}
            _access.debug("%s %s %d", request.method, request.path, status, extra=fields)


def _of(table: dict[Key, Histogram], key: Key, bounds: Sequence[float]) -> Histogram:
    found = table.get(key)
    if found is None:
        found = table[key] = Histogram(bounds)
    return found
