"""A job as API v2 tells it. Pure: what is on the disk about its files comes in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from server.jobs.job import Job, State
from server.protocol import v2
from server.v2.outputs import Made, made

LABELS = "latentwire_v2"
"""The key of extra_data under which a job's metadata and priority are kept."""

FOREVER = timedelta(days=3650)
"""How long after its creation a job "expires" that is kept until others push it out (--keep-jobs)."""

LINK = timedelta(days=1)
"""How long a link is said to be good; it is so as long as the file is there."""

STATUSES: Mapping[State, v2.Status] = {
    State.WAITING: "queued",
    State.RUNNING: "running",
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.CANCELLED: "canceled",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a job's JSON needs besides the job.

    base: the address the client knows us by. size: of a file in bytes, 0 where it is gone. keep_days: of ended jobs.
    position: its place in the queue, from 1. progress: the last there is. is_canceling: it was told to stop.
    """

    base: str
    size: Callable[[Made], int]
    keep_days: float = 0.0
    position: int | None = None
    progress: v2.Progress | None = None
    is_canceling: bool = False


def told(job: Job, around: Surroundings) -> v2.Job:
    """The job as its clients read it."""
    is_running = job.state is State.RUNNING
    started = job.started if job.state is not State.WAITING else None
    kept = timedelta(days=around.keep_days) if around.keep_days else FOREVER
    address = f"{around.base}/api/v2/jobs/{job.id}"
    result: v2.Job = {
        "id": job.id,
        "status": "canceling" if is_running and around.is_canceling else STATUSES[job.state],
        "created_at": iso(job.created),
        "started_at": None if started is None else iso(started),
        "completed_at": None if job.ended is None else iso(job.ended),
        "expires_at": iso(job.created, kept),
        "queue_position": around.position if job.state is State.WAITING else None,
        "progress": around.progress if is_running else None,
        "outputs": [output(each, around) for each in made(job.id, job.shown)],
        "error": _fault(job),
        "metrics": {"queue_ms": _between(job.created, started), "execution_ms": _between(started, job.ended)},
        "urls": {"self": address, "events": f"{address}/events", "cancel": f"{address}/cancel"},
    }
    labels = job.extra_data.get(LABELS)
    if isinstance(labels, Mapping):
        result = {**result, **{name: labels[name] for name in ("metadata", "priority") if name in labels}}  # type: ignore[typeddict-item]
    return result


def output(each: Made, around: Surroundings) -> v2.Output:
    """A file that a job made."""
    return {
        "node_id": each.node,
        "name": each.filename,
        "type": each.kind,
        "content_type": each.content_type,
        "size_bytes": around.size(each),
        "id": each.id,
        "hash": None,
        "url": content_url(around.base, each.id),
        "url_expires_at": iso(_now(), LINK),
        "job_id": each.job,
    }


def content_url(base: str, asset: str) -> str:
    """Where the bytes of an asset are."""
    return f"{base}/api/v2/assets/{asset}/content"


def workflow(job: Job) -> v2.Workflow:
    """The workflow behind a job: the editor's own where the client sent it along, else what was executed."""
    info = job.extra_data.get("extra_pnginfo")
    saved: Any = info.get("workflow") if isinstance(info, Mapping) else None
    if isinstance(saved, Mapping):
        return {"workflow": saved, "format": "save"}
    return {"workflow": job.prompt, "format": "api"}


def progress(state: Mapping[str, Any], total: int, classes: Mapping[str, str]) -> v2.Progress:
    """How far a job is, from the data of a progress_state.

    total: how many nodes the prompt has. classes: the class of each.
    """
    nodes = [each for each in state.get("nodes", {}).values() if isinstance(each, Mapping)]
    done = sum(each.get("state") == "finished" for each in nodes)
    current = next((each for each in nodes if each.get("state") == "running"), None)
    value, most, node = 0, 0, None
    if current is not None:
        value, most, node = int(current["value"]), int(current["max"]), str(current["node_id"])
    total = max(total, done + (current is not None))
    share = (done + (value / most if most > 0 else 0.0)) / total if total else 0.0
    name = classes.get(node or "")
    return {
        "value": min(1.0, max(0.0, share)),
        "nodes_done": done,
        "nodes_total": total,
        "current_node": node,
        "current_node_class": name,
        "step": value if node is not None else None,
        "steps": most if node is not None else None,
        "message": None if node is None else f"{name or node} {value}/{most}",
    }


def classes(job: Job) -> dict[str, str]:
    """The class of each node of a job's prompt."""
    return {id: str(node.get("class_type", "")) for id, node in job.prompt.items() if isinstance(node, Mapping)}


def iso(milliseconds: int, later: timedelta = timedelta()) -> str:
    """A time of ours as API v2 writes it."""
    return (datetime.fromtimestamp(milliseconds / 1000, UTC) + later).isoformat()


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def _between(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None else max(0, end - start)


def _fault(job: Job) -> v2.JobFault | None:
    if job.state is not State.FAILED:
        return None
    error: Mapping[str, Any] = job.error or {}
    return {
        "code": "node_execution_error" if job.cause in (None, "node_error") else str(job.cause),
        "message": str(error.get("exception_message") or "The job failed.").rstrip("\n"),
        "node_id": error.get("node_id") or None,
        "class_type": error.get("node_type") or None,
        "traceback": "".join(error.get("traceback") or ()) or None,
    }
