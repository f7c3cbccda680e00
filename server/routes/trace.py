"""GET /api/jobs/{id}/trace: where a job's time went, for chrome://tracing and Perfetto."""

import asyncio
import json
import re

from aiohttp import hdrs, web

from server import keys
from server.requests.refusal import Refused
from server.watching.trace import trace


async def job_trace(request: web.Request) -> web.Response:
    """The time line of a job as a file to open there."""
    job = await request.app[keys.JOBS].get(request.match_info["id"])
    if job is None:
        raise Refused(404, "Job not found")
    text = await asyncio.to_thread(lambda: json.dumps(trace(job), separators=(",", ":")))
    name = re.sub(r"[^\w.-]", "_", job.id, flags=re.ASCII)
    headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}.trace.json"'}
    return web.Response(text=text, content_type="application/json", charset="utf-8", headers=headers)


API_ROUTES = (web.get("/api/jobs/{id}/trace", job_trace),)
