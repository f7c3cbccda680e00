"""GET /api/jobs/{id}/events: what happens to a job as server-sent events, from its beginning to its end."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from server import keys
from server.events.dialect import lines
from server.events.mailbox import Packet
from server.events.receiver import Say
from server.events.resuming import last_event
from server.requests.refusal import Refused

RETRY = 1000  # milliseconds after which a browser connects again

PATIENCE = 90.0
"""Seconds that a client may take for one event. The socket's pings give the same time."""


async def events(request: web.Request) -> web.StreamResponse:
    """Every message of a job, first those there are and then those that come; ends when the job has.

    A client that comes back names the last number it has (Last-Event-ID, or ?since=). Previews and texts are not
    stored and status is about no job, so neither is here: they are on the socket.
    """
    job, since = request.match_info["id"], last_event(request)
    state = await request.app[keys.JOBS].state(job)
    if state is None:
        raise Refused(404, "Job not found")
    if state.is_end and await request.app[keys.JOBS].last_number(job) <= (since or 0):
        return nothing_more()
    return await stream(request, job, since)


def nothing_more() -> web.Response:
    """The answer to a client that has all events of an ended job: with any other a browser comes back for ever.

    Source: HTML Standard, 9.2, Server-sent events: a stream that ends is asked for again; 204 says not to.
    """
    return web.Response(status=204, headers={"Cache-Control": "no-cache"})


async def stream(
    request: web.Request, job: str, since: int | None, *, first: Sequence[Packet] = (), say: Say = lines
) -> web.StreamResponse:
    """A job's events until it has ended, in a dialect; `first` goes before them."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has left")
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",  # proxies of nginx's kind would hold the events back
        }
    )

    async def write(packet: Packet) -> None:
        async with asyncio.timeout(PATIENCE):
            await response.write(packet.data)

    hub = request.app[keys.HUB]
    receiver = hub.follow(job, unsent=transport.get_write_buffer_size, since=since, say=say)
    try:
        await response.prepare(request)
        await response.write(f"retry: {RETRY}\n\n".encode())
        for packet in first:
            await write(packet)
        await receiver.deliver(write)
    finally:
        hub.unfollow(job, receiver)
        if receiver.mailbox.is_dropped:
            transport.abort()
    return response


API_ROUTES = (web.get("/api/jobs/{id}/events", events, allow_head=False),)
