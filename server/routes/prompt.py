"""GET and POST /prompt."""

from aiohttp import web

from server import keys
from server.protocol.prompts import QueueInfo
from server.requests import reply


async def show(request: web.Request) -> web.Response:
    """How many jobs wait or run; some clients ask this to see whether anybody is there."""
    return reply.short(QueueInfo(exec_info={"queue_remaining": request.app[keys.JOBS].remaining}))


async def submit(request: web.Request) -> web.Response:
    """Takes a prompt to run."""
    return await request.app[keys.RECEPTION].receive(request)


ROUTES = (web.get("/prompt", show), web.post("/prompt", submit))
