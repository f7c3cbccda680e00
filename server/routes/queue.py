"""GET and POST /queue, POST /interrupt, POST /free: what runs and waits, and how to stop it."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from server import keys
from server.jobs.job import Brief, Job
from server.jobs.store import Jobs
from server.prompts.job_json import prompt_tuple
from server.protocol.jobs import Queue, QueueItem
from server.requests import fields, reply
from server.requests.body import read_object

PAGE = 100
"""Jobs that are in memory at a time while a long queue is written."""


async def show(request: web.Request) -> web.StreamResponse:
    """The jobs that run and those that wait, as they were when the request came."""
    jobs = request.app[keys.JOBS]
    running, waiting = jobs.running(), jobs.waiting()
    if not running and not waiting:
        return reply.short(Queue(queue_running=[], queue_pending=[]))
    if len(running) + len(waiting) <= PAGE:
        found = {each.id: each for each in await jobs.many([each.id for each in (*running, *waiting)])}

        def made(briefs: Sequence[Brief]) -> list[QueueItem]:
            return [prompt_tuple(found[each.id]) for each in briefs if each.id in found]

        return await reply.long(lambda: Queue(queue_running=made(running), queue_pending=made(waiting)))
    return await reply.pieces(request, _pieces(jobs, running, waiting))


async def change(request: web.Request) -> web.Response:
    """Takes jobs that wait out of the queue."""
    sent = await read_object(request)
    wanted = fields.texts(sent, "delete")
    if fields.flag(sent, "clear"):
        await request.app[keys.DISPATCHER].withdraw(None)
    elif wanted:
        await request.app[keys.DISPATCHER].withdraw(wanted)
    return web.Response()


async def interrupt(request: web.Request) -> web.Response:
    """Asks what runs to stop: all of it, or one job when it is named."""
    sent = await read_object(request, may_be_empty=True)
    request.app[keys.DISPATCHER].interrupt(fields.text(sent, "prompt_id"))
    return web.Response()


async def free(request: web.Request) -> web.Response:
    """Has workers free memory when they run nothing."""
    sent = await read_object(request)
    unload_models, free_memory = fields.flag(sent, "unload_models"), fields.flag(sent, "free_memory")
    if unload_models or free_memory:
        request.app[keys.POOL].release(unload_models=unload_models, free_memory=free_memory)
    return web.Response()


async def _pieces(jobs: Jobs, running: Sequence[Brief], waiting: Sequence[Brief]) -> AsyncIterator[str]:
    yield '{"queue_running": ['
    async for items in _items(jobs, running):
        yield items
    yield '], "queue_pending": ['
    async for items in _items(jobs, waiting):
        yield items
    yield "]}"


async def _items(jobs: Jobs, briefs: Sequence[Brief]) -> AsyncIterator[str]:
    """Items, page by page, with commas between them."""
    comma = ""
    for start in range(0, len(briefs), PAGE):
        page = await jobs.many([each.id for each in briefs[start : start + PAGE]])
        if page:
            yield comma + await asyncio.to_thread(_written, page)
            comma = ", "


def _written(page: Sequence[Job]) -> str:
    return ", ".join(reply.dumps(prompt_tuple(job)) for job in page)


ROUTES = (
    web.get("/queue", show),
    web.post("/queue", change),
    web.post("/interrupt", interrupt),
    web.post("/free", free),
)
