"""GET /metrics: what Prometheus collects."""

import asyncio
from pathlib import Path
from typing import Any

import psutil
from aiohttp import hdrs, web

from server import keys
from server.watching.metrics import TALLY

DATABASE = "jobs.sqlite"
"""Beside it stand the files of SQLite's journal; together they are the size of what is kept."""


async def metrics(request: web.Request) -> web.Response:
    """The numbers of this moment, read here and put into words on another thread."""
    jobs = request.app[keys.JOBS]
    running = len(jobs.running())
    state = {
        "tally": request.app[TALLY].snapshot(),
        "jobs": {"waiting": jobs.remaining - running, "running": running},
        "workers": request.app[keys.POOL].workers,
        "sockets": request.app[keys.HUB].sockets,
        "last_event": jobs.last_event,
    }
    accept = request.headers.get(hdrs.ACCEPT, "")
    text, content_type = await asyncio.to_thread(_render, state, request.app[keys.FOLDERS].user, accept)
    return web.Response(body=text, headers={hdrs.CONTENT_TYPE: content_type})


def _render(state: dict[str, Any], folder: Path, accept: str) -> tuple[bytes, str]:
    from server.watching.exposition import Reading, exposition  # here, because most servers are never asked

    files = [each for each in folder.glob(f"{DATABASE}*") if each.is_file()]
    size = sum(each.stat().st_size for each in files) if files else None
    return exposition(Reading(**state, database=size, memory=psutil.Process().memory_info().rss), accept)


ROUTES = (web.get("/metrics", metrics),)
