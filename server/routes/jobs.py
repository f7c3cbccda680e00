"""/api/jobs: jobs in every state, by page or one by one, and how to cancel and reorder them."""

from aiohttp import web

from server import keys
from server.jobs.job import Job
from server.jobs.store import JobGone, Query
from server.prompts.job_json import STATUSES, detailed, listed
from server.prompts.submission import is_id
from server.protocol.jobs import JobMoved, JobPage, JobsCancelled, Pagination
from server.requests import fields, query, reply
from server.requests.body import read_object
from server.requests.fields import BadField
from server.requests.refusal import Refused

MAX_PAGE = 1000
"""Jobs in one answer, however many are asked for; `has_more` says that there are others."""

SORTINGS = ("created_at", "execution_duration", "priority")
ORDERS = ("asc", "desc")


async def show(request: web.Request) -> web.Response:
    """A page of jobs."""
    wanted = query.some_of(request, "status", STATUSES)
    limit = min(query.whole(request, "limit", least=1) or MAX_PAGE, MAX_PAGE)
    asked = Query(
        states=[state for name, state in STATUSES.items() if name in wanted],
        workflow_id=request.query.get("workflow_id") or None,
        sort_by=query.one_of(request, "sort_by", SORTINGS, "created_at"),
        descending=query.one_of(request, "sort_order", ORDERS, "desc") == "desc",
        limit=limit,
        offset=query.whole(request, "offset") or 0,
    )
    found, total = await request.app[keys.JOBS].page(asked, whole=False)
    has_more = asked.offset + len(found) < total
    pagination: Pagination = {"offset": asked.offset, "limit": limit, "total": total, "has_more": has_more}

    def page() -> JobPage:
        return {"jobs": [listed(job) for job in found], "pagination": pagination}

    return await reply.long(page)


async def show_one(request: web.Request) -> web.Response:
    """A job with all there is to know of it."""
    job = await _found(request)
    return await reply.long(lambda: detailed(job))


async def cancel(request: web.Request) -> web.Response:
    """Cancels a job; one that has ended already stays as it is."""
    return await _cancel(request, [request.match_info["id"]])


async def cancel_several(request: web.Request) -> web.Response:
    """Cancels the jobs that are named."""
    wanted = (await read_object(request)).get("job_ids")
    if not isinstance(wanted, list):
        raise BadField("job_ids", "a list of job ids", wanted)
    invalid = [each for each in wanted if not isinstance(each, str) or not is_id(each)]
    if invalid:
        message = f"job_ids: expected ids of jobs (UUIDs in lower case), got {len(invalid)} that are none"
        raise Refused(400, message, body={"error": message, "invalid_ids": invalid})
    return await _cancel(request, wanted)


async def move(request: web.Request) -> web.Response:
    """Has a waiting job run before another one, or last."""
    job = request.match_info["id"]
    sent = await read_object(request)
    before = fields.text(sent, "before")
    if await request.app[keys.JOBS].state(job) is None:
        raise Refused(404, "Job not found")
    try:
        moved = await request.app[keys.DISPATCHER].move(job, before)
    except JobGone as error:
        raise Refused(409, f"{error}; only what waits can change its place") from error
    return reply.short(JobMoved(priority=moved.number))


async def _cancel(request: web.Request, wanted: list[str]) -> web.Response:
    cancelled = await request.app[keys.DISPATCHER].cancel(wanted)
    answer: JobsCancelled = {"cancelled": bool(cancelled)}
    return reply.short(answer)


async def _found(request: web.Request) -> Job:
    job = await request.app[keys.JOBS].get(request.match_info["id"])
    if job is None:
        raise Refused(404, "Job not found")
    return job


API_ROUTES = (
    web.get("/api/jobs", show),
    web.post("/api/jobs/cancel", cancel_several),
    web.get("/api/jobs/{id}", show_one),
    web.post("/api/jobs/{id}/cancel", cancel),
    web.post("/api/jobs/{id}/move", move),
)
