"""/api/v2/jobs: the newer outside API, as the official SDKs speak it (protocol.md, section 9)."""

import asyncio
import contextlib
import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from aiohttp import web

from engine.graph.editor_format import is_editor_format
from server import keys
from server.events.mailbox import Packet
from server.events.resuming import last_event
from server.files.user_files import find
from server.jobs.job import Job, State
from server.jobs.store import JobConflict, Query
from server.prompts.submission import Submission
from server.protocol import v2
from server.requests import body, query, reply
from server.requests.refusal import Refused
from server.routes.events import nothing_more, stream
from server.v2 import job_json, references
from server.v2.errors import fault
from server.v2.events import Dialect, sse
from server.v2.job_json import LABELS, STATUSES, Surroundings
from server.v2.outputs import Made, made, split_id

KEYS: Final = UUID("c3a1bd3c-6e5c-4f0e-9a57-1b6f4cf1d0a2")
"""What Idempotency-Keys are hashed with, so that a key is a job's id: the jobs' table then remembers them."""

LONGEST_KEY = 255
LONGEST_LABEL = 1024  # bytes of metadata
PAGE, LARGEST_PAGE = 50, 100
SECRET = "api_key_comfy_org"


async def submit(request: web.Request) -> web.Response:
    """Queues a workflow in API format. The same Idempotency-Key with the same body is the same job."""
    key = _key(request)
    data = await body.read(request)
    is_long = len(data) > 1 << 14
    sent = await asyncio.to_thread(body.parse, data) if is_long else body.parse(data)
    if not isinstance(sent, dict):
        raise fault(400, "invalid_request", f"expected an object with a workflow, got {body.kind(sent)}")
    id, digest = str(uuid4() if key is None else uuid5(KEYS, key)), hashlib.sha256(data).hexdigest()
    known = None if key is None else await request.app[keys.JOBS].get(id)
    if known is None:
        known, is_new = await _admitted(request, id, digest, sent, is_long)
    else:
        is_new = False
    if known.digest != digest:
        message = "this Idempotency-Key was used for another request; give each job a key of its own"
        raise fault(422, "idempotency_key_reuse", message, {"job_id": id})
    return web.json_response(await _told(request, known), status=201 if is_new else 200)


async def _admitted(
    request: web.Request, id: str, digest: str, sent: Mapping[str, Any], is_long: bool
) -> tuple[Job, bool]:
    workflow = _workflow(sent)
    labels = _labels(sent)
    submission = Submission(
        id=id,
        is_named=True,
        graph=await _resolved(request, workflow),
        is_foreign=False,
        digest=digest,
        client_id=id,
        extra_data={**_secrets(sent), **({LABELS: labels} if labels else {})},
    )
    reception = request.app[keys.RECEPTION]
    submission = await reception.seen_by_plugins(submission, lambda: _as_posted(submission))
    is_new = False
    with contextlib.suppress(JobConflict):  # the same key, a moment ago: the digests will tell
        _, _, is_new = await reception.admit(submission, is_long=is_long)
    job = await request.app[keys.JOBS].get(id)
    assert job is not None
    return job, is_new


def _as_posted(submission: Submission) -> dict[str, Any]:
    """The request as plugins know it: the body of POST /prompt."""
    return {
        "prompt": submission.graph,
        "prompt_id": submission.id,
        "client_id": submission.client_id,
        "extra_data": dict(submission.extra_data),
    }


async def show(request: web.Request) -> web.Response:
    """Jobs, the newest first; ?status=, ?limit=, ?cursor=, ?metadata[name]=."""
    wanted = query.some_of(request, "status", (*STATUSES.values(), "canceling", "expired"))
    limit = min(query.whole(request, "limit", least=1) or PAGE, LARGEST_PAGE)
    before = _cursor(request)
    states = [state for state, name in STATUSES.items() if name in wanted]
    if "canceling" in wanted and State.RUNNING not in states:
        states.append(State.RUNNING)
    if wanted and not states:
        return web.json_response({"jobs": []})
    labels: dict[tuple[str, ...], str] = {
        (LABELS, "metadata", name): value for name, value in _bracketed(request, "metadata")
    }
    found, total = await request.app[keys.JOBS].page(Query(states=states, limit=limit, before=before, texts=labels))
    answer: v2.JobPage = {"jobs": [await _told(request, job) for job in found]}
    if len(found) < total:
        answer["next_cursor"] = f"{found[-1].created}-{found[-1].sequence}"
    return await reply.long(lambda: answer)


async def show_one(request: web.Request) -> web.Response:
    """A job."""
    return web.json_response(await _told(request, await _found(request)))


async def show_workflow(request: web.Request) -> web.Response:
    """The workflow behind a job."""
    job = await _found(request)
    return await reply.long(lambda: job_json.workflow(job))


async def cancel(request: web.Request) -> web.Response:
    """Cancels a job; one that has ended stays as it is."""
    job = await _found(request)
    await request.app[keys.DISPATCHER].cancel([job.id])
    return web.json_response(await _told(request, await _found(request), is_canceling=True))


async def events(request: web.Request) -> web.StreamResponse:
    """What happens to a job, as server-sent events, until it has ended. Last-Event-ID (or ?since=) resumes."""
    job = await _found(request)
    base, classes = address(request), job_json.classes(job)
    around = Surroundings(base=base, size=_size(request))
    dialect = Dialect(classes, lambda each: job_json.output(each, around), time.monotonic)
    since = last_event(request)
    told = await _told(request, job)
    if job.state.is_end:
        end = await request.app[keys.JOBS].last_number(job.id)
        if since is not None and end <= since:
            return nothing_more()
        if since is None:
            outputs = [sse("output", each) for each in told["outputs"]]
            return await _whole(request, [*outputs, sse("status", _state(told), end)])
    first = [sse("status", _state(told))] if since is None else []
    return await stream(request, job.id, since, first=first, say=dialect.say)


def _state(told: v2.Job) -> dict[str, Any]:
    return {"status": told["status"], "queue_position": told["queue_position"]}


async def _whole(request: web.Request, packets: Iterable[Packet]) -> web.Response:
    """A stream that is over before it has begun."""
    text = b"".join(packet.data for packet in packets)
    return web.Response(body=text, headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})


async def health(request: web.Request) -> web.Response:
    """That the server is there."""
    return web.json_response({"status": "healthy"})


# ------------------------------------------------------------------------------------------------- what a client sends


def _cursor(request: web.Request) -> tuple[int, int] | None:
    """Which job the page before ended with. Raises: Refused."""
    text = request.query.get("cursor")
    if not text:
        return None
    found = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", text)
    if found is None:
        raise fault(400, "invalid_request", f"cursor: expected the next_cursor of a page, got {text:.40}")
    return int(found[1]), int(found[2])


def _bracketed(request: web.Request, word: str) -> Iterable[tuple[str, str]]:
    """Each ?word[name]=value."""
    for key, value in request.query.items():
        found = re.fullmatch(rf"{word}\[(.*)\]", key, re.DOTALL)
        if found is not None:
            yield found[1], value


def _key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise fault(400, "invalid_request", f"Idempotency-Key: expected 1 to {LONGEST_KEY} printable ASCII characters")
    return key


def _workflow(sent: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("webhook_url", "inputs"):
        if sent.get(name) is not None:
            raise fault(422, "invalid_workflow", f"{name} is reserved, and nothing is done with it; leave it out")
    workflow = sent.get("workflow")
    if not isinstance(workflow, dict):
        raise fault(
            422, "invalid_workflow", f"workflow: expected a graph in API format, an object, got {body.kind(workflow)}"
        )
    if is_editor_format(workflow):
        raise fault(
            422, "workflow_format_ui", "workflow: this is the editor's own format; export it in API format instead"
        )
    return workflow


def _labels(sent: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept with a job for its client: metadata and priority, neither read by us."""
    labels: dict[str, Any] = {}
    metadata, priority = sent.get("metadata"), sent.get("priority")
    if metadata is not None:
        is_map = isinstance(metadata, dict) and all(isinstance(each, str) for each in metadata.values())
        if not is_map and not isinstance(metadata, str):
            raise fault(422, "invalid_request", "metadata: expected a text, or an object of texts")
        if len(json.dumps(metadata)) > LONGEST_LABEL:
            raise fault(422, "invalid_request", f"metadata: expected at most {LONGEST_LABEL:,} bytes")
        labels["metadata"] = metadata
    if priority is not None:
        if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > 1_000_000:
            raise fault(422, "invalid_request", "priority: expected a whole number of at most a million")
        labels["priority"] = priority
    return labels


def _secrets(sent: Mapping[str, Any]) -> dict[str, str]:
    extra = sent.get("extra_data")
    if extra is None:
        return {}
    if not isinstance(extra, dict) or set(extra) - {SECRET} or not isinstance(extra.get(SECRET, ""), str):
        raise fault(400, "invalid_request", f"extra_data: expected an object with {SECRET}, a text, and nothing else")
    return extra


async def _resolved(request: web.Request, workflow: dict[str, Any]) -> dict[str, Any]:
    """The workflow with names of files in the place of references to assets. Raises: Refused."""
    wanted = {references.wanted(each) for each in references.references(workflow)}
    names = {each: await _name(request, *each) for each in wanted}
    missing = [str(id or hash or "without id or hash") for (id, hash), name in names.items() if name is None]
    if missing:
        message = f"there is no asset {', '.join(missing)}; send the file first"
        raise fault(422, "missing_asset", message, {"missing_ids": missing})
    found = {each: name for each, name in names.items() if name is not None}
    resolved: dict[str, Any] = references.replaced(workflow, found) if found else workflow
    return resolved


async def _name(request: web.Request, id: str | None, hash: str | None) -> str | None:
    """How nodes name an asset; None, where there is none."""
    assets = request.app[keys.ASSETS]
    if id is not None:
        output = await output_of(request, id)
        if output is not None:
            return output.reference
        found = await asyncio.to_thread(assets.find, id)
    else:
        found = await asyncio.to_thread(assets.by_hash, hash or "")
    return None if found is None else found.name


# ------------------------------------------------------------------------------------------------ what a client is told


async def output_of(request: web.Request, id: str) -> Made | None:
    """The output that an asset's id names; None, when it names none."""
    parts = split_id(id)
    if parts is None:
        return None
    job, node, place = parts
    shown = await request.app[keys.JOBS].shown(job)
    return next((each for each in made(job, shown) if (each.node, each.place) == (node, place)), None)


async def _told(request: web.Request, job: Job, *, is_canceling: bool = False) -> v2.Job:
    jobs = request.app[keys.JOBS]
    position: int | None = None
    progress: v2.Progress | None = None
    if job.state is State.WAITING:
        waiting = [each.id for each in jobs.waiting()]
        position = waiting.index(job.id) + 1 if job.id in waiting else None
    elif job.state is State.RUNNING:
        text = await jobs.last_of(job.id, "progress_state")
        classes = job_json.classes(job)
        progress = job_json.progress({} if text is None else json.loads(text), len(classes), classes)
    around = Surroundings(
        base=address(request),
        size=_size(request),
        keep_days=request.app[keys.SETTINGS].keep_days,
        position=position,
        progress=progress,
        is_canceling=is_canceling,
    )
    return await asyncio.to_thread(job_json.told, job, around)


def _size(request: web.Request) -> Any:
    folders = request.app[keys.FOLDERS]

    def size(each: Made) -> int:
        try:
            path: Path = find(folders, each.filename, each.subfolder, each.type)
            return path.stat().st_size
        except (Refused, OSError):
            return 0

    return size


def address(request: web.Request) -> str:
    """How the client reached us; links lead back there."""
    return f"{request.scheme}://{request.host}"


async def _found(request: web.Request) -> Job:
    job = await request.app[keys.JOBS].get(request.match_info["id"])
    if job is None:
        raise fault(404, "not_found", "there is no such job")
    return job


API_ROUTES = (
    web.get("/api/v2/health", health),
    web.post("/api/v2/jobs", submit),
    web.get("/api/v2/jobs", show),
    web.get("/api/v2/jobs/{id}", show_one),
    web.get("/api/v2/jobs/{id}/workflow", show_workflow),
    web.get("/api/v2/jobs/{id}/events", events, allow_head=False),
    web.post("/api/v2/jobs/{id}/cancel", cancel),
)
