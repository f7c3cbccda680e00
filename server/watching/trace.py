"""A job on a time line, as chrome://tracing and Perfetto read it (the Trace Event Format's JSON objects).

One process row for the queue, one for the worker; below the job's own slice its nodes, and more rows where nodes
overlap because they awaited something. Pure: a job goes in, plain data comes out.

Source: Trace Event Format, docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU; times are µs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from server.jobs.job import Job, Span

QUEUE, WORKER = 0, 1
"""Process ids in the trace."""

LATE = 10_000
"""µs by which the report that a node begins may come late: a node that seems to overlap the next by less does not."""


def trace(job: Job) -> dict[str, Any]:
    """The trace of a job, as far as it has come."""
    cached = _cached(job)
    placed = place(span for span in job.spans if span.node not in cached)
    rows = max((each.row for each in placed), default=0) + 1
    events = [*_names(job, rows), *_whole(job, placed), *map(_node, placed)]
    events += [_mark(job, node, moment) for node, moment in cached.items() if moment is not None]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {"job": job.id, "state": str(job.state), "attempts": job.attempts},
    }


@dataclass(frozen=True, slots=True)
class Placed:
    """A node's slice: its row, when it began and ended."""

    span: Span
    row: int
    begin: int
    end: int


def place(spans: Iterable[Span]) -> list[Placed]:
    """Each span in the first row where it overlaps no other, in the order of time."""
    ordered = sorted(spans, key=_begin)
    ends: list[int] = []
    placed = []
    for span, after in zip_longest(ordered, ordered[1:]):
        begin, end = _begin(span), _begin(span) + max(0, round(span.seconds * 1_000_000))
        if after is not None and _begin(after) < end <= _begin(after) + LATE:
            end = _begin(after)
        row = next((row for row, busy_until in enumerate(ends) if busy_until <= begin), len(ends))
        ends[row : row + 1] = [end]
        placed.append(Placed(span, row, begin, end))
    return placed


def _names(job: Job, rows: int) -> Iterator[dict[str, Any]]:
    """Metadata: what processes and threads are called."""
    yield _name("process_name", QUEUE, 0, "queue")
    yield _name("thread_name", QUEUE, 0, f"job {job.id}")
    yield _name("process_name", WORKER, 0, job.worker or "worker")
    for row in range(rows):
        yield _name("thread_name", WORKER, row, f"job {job.id}" if row == 0 else f"job {job.id} ({row + 1})")


def _whole(job: Job, placed: Sequence[Placed]) -> Iterator[dict[str, Any]]:
    """The time in the queue, and the time with a worker around its nodes."""
    moments = [each for part in placed for each in (part.begin, part.end)]
    moments += [each * 1000 for each in (job.started, job.started and job.ended) if each is not None]
    begun = min(moments, default=None)
    until = begun if begun is not None else (job.ended or job.created) * 1000
    queued = {"attempts": job.attempts, "state": str(job.state)}
    yield _slice("waiting", "queue", QUEUE, 0, (job.created * 1000, until), queued)
    if begun is not None:
        about = {"job": job.id, "state": str(job.state), "cause": job.cause}
        yield _slice("job", "job", WORKER, 0, (begun, max(moments)), about)


def _node(part: Placed) -> dict[str, Any]:
    span = part.span
    about = {"node": span.node, "display_node": span.display_node or span.node, "class_type": span.class_type}
    name = f"{span.class_type} ({span.node})"
    return _slice(name, "node", WORKER, part.row, (part.begin, part.end), {**about, "cached": False})


def _cached(job: Job) -> dict[str, Any]:
    """The nodes that were not run again, and when that was known. Units: milliseconds since 1970."""
    for kind, data in job.messages:
        if kind == "execution_cached":
            return {node: data.get("timestamp", job.started) for node in data.get("nodes", ())}
    return {}


def _mark(job: Job, node: str, moment: float) -> dict[str, Any]:
    """A node that was not run again: it took no time, so it is no slice."""
    class_type = str(job.prompt.get(node, {}).get("class_type", ""))
    about = {"node": node, "display_node": node, "class_type": class_type, "cached": True}
    mark = {"name": f"{class_type} ({node})", "cat": "node", "ph": "i", "s": "t", "ts": round(moment * 1000)}
    return {**mark, "pid": WORKER, "tid": 0, "args": about}


def _slice(
    name: str, category: str, process: int, thread: int, time: tuple[int, int], about: Mapping[str, Any]
) -> dict[str, Any]:
    known = {name: value for name, value in about.items() if value is not None}
    begin, end = time
    place = {"ts": begin, "dur": max(0, end - begin), "pid": process, "tid": thread}
    return {"name": name, "cat": category, "ph": "X", **place, "args": known}


def _name(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


def _begin(span: Span) -> int:
    return round(span.start * 1000)
