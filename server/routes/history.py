"""GET /history[/{id}] and POST /history: jobs that have ended."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from server import keys
from server.jobs.job import Job
from server.jobs.store import Jobs
from server.prompts.job_json import history_entry
from server.requests import fields, query, reply
from server.requests.body import read_object

PAGE = 100
"""Jobs that are in memory at a time while a long history is written."""


async def show(request: web.Request) -> web.StreamResponse:
    """Ended jobs, the oldest first: all, the newest so many, or so many from an offset on."""
    jobs = request.app[keys.JOBS]
    max_items = query.whole(request, "max_items")
    offset = query.whole(request, "offset", least=-1)  # ComfyUI: -1 says that there is none
    if offset is not None and offset < 0:
        offset = None
    if max_items is not None and (max_items <= PAGE or offset is None):
        found = await jobs.history(max_items, offset)
        return await reply.long(lambda: {job.id: history_entry(job) for job in found})
    return await reply.pieces(request, _pieces(jobs, max_items, offset or 0))


async def show_one(request: web.Request) -> web.Response:
    """The entry of a job; nothing for one that is unknown or has not ended."""
    job = await request.app[keys.JOBS].get(request.match_info["id"])
    if job is None or not job.state.is_end or not job.is_listed:
        return reply.short({})
    return await reply.long(lambda: {job.id: history_entry(job)})


async def change(request: web.Request) -> web.Response:
    """Forgets ended jobs, and removes the temporary files they showed."""
    sent = await read_object(request)
    wanted = fields.texts(sent, "delete")
    if fields.flag(sent, "clear"):
        await request.app[keys.HOUSEKEEPING].forget(None)
    elif wanted:
        await request.app[keys.HOUSEKEEPING].forget(wanted)
    return web.Response()


async def _pieces(jobs: Jobs, max_items: int | None, offset: int) -> AsyncIterator[str]:
    """Entries page by page. Jobs that end meanwhile come at the end and do not move the others."""
    yield "{"
    comma, end = "", None if max_items is None else offset + max_items
    while end is None or offset < end:
        page = await jobs.history(PAGE if end is None else min(PAGE, end - offset), offset)
        if page:
            yield comma + await asyncio.to_thread(_written, page)
            comma = ", "
        if len(page) < PAGE:
            break
        offset += len(page)
    yield "}"


def _written(page: Sequence[Job]) -> str:
    return ", ".join(f"{reply.dumps(job.id)}: {reply.dumps(history_entry(job))}" for job in page)


ROUTES = (
    web.get("/history", show),
    web.get("/history/{id}", show_one),
    web.post("/history", change),
)
