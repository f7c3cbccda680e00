"""A job on a time line, as chrome://tracing and Perfetto read it (the Trace Event Format's JSON objects).

One process row for the queue, one for the worker; below the job's own slice its nodes, and more rows where nodes
overlap because they awaited something. Pure: a job goes in, plain data comes out.

Source: Trace Event Format, docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU; times are µs.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from server.jobs.job import Job, Span

QUEUE, WORKER = 0, 1
"""Process ids in the trace."""


def trace(job: Job) -> dict[str, Any]:
    """The trace of a job, as far as it has come."""
    return {
        "traceEvents": [*_names(job), *_slices(job)],
        "displayTimeUnit": "ms",
        "otherData": {"job": job.id, "state": str(job.state), "attempts": job.attempts},
    }


def lanes(spans: Sequence[Span]) -> list[int]:
    """A row from 0 for each span, so that no two in a row overlap; as few rows as can be."""
    rows: dict[int, int] = {}
    ends: list[int] = []
    for index in sorted(range(len(spans)), key=lambda index: _begin(spans[index])):
        row = next((row for row, end in enumerate(ends) if end <= _begin(spans[index])), len(ends))
        ends[row : row + 1] = [_end(spans[index])]
        rows[index] = row
    return [rows[index] for index in range(len(spans))]


def _names(job: Job) -> Iterator[dict[str, Any]]:
    """Metadata: what processes and threads are called."""
    yield _name("process_name", QUEUE, 0, "queue")
    yield _name("thread_name", QUEUE, 0, f"job {job.id}")
    if not job.spans and job.started is None:
        return
    yield _name("process_name", WORKER, 0, job.worker or "worker")
    for row in range(max(lanes(job.spans), default=0) + 1):
        yield _name("thread_name", WORKER, row, f"job {job.id}" if row == 0 else f"job {job.id} ({row + 1})")


def _slices(job: Job) -> Iterator[dict[str, Any]]:
    """The time in the queue, the job, and its nodes."""
    begun = [_begin(span) for span in job.spans]
    ended = [_end(span) for span in job.spans]
    if job.started is not None:
        begun.append(job.started * 1000)
        waited = max(0, min(begun) - job.created * 1000)
        yield _slice("waiting", "queue", QUEUE, 0, job.created * 1000, waited, {"attempts": job.attempts})
    elif job.ended is not None:
        waited = max(0, job.ended - job.created) * 1000
        yield _slice("waiting", "queue", QUEUE, 0, job.created * 1000, waited, {"state": str(job.state)})
    if not begun:
        return
    if job.ended is not None:
        ended.append(job.ended * 1000)
    # Rows come from different clocks: the job's slice is stretched so that its nodes nest inside.
    length = max([*ended, *begun]) - min(begun)
    about: dict[str, Any] = {"job": job.id, "state": str(job.state), "cause": job.cause}
    yield _slice("job", "job", WORKER, 0, min(begun), length, about)
    for span, row in zip(job.spans, lanes(job.spans), strict=True):
        about = {"node": span.node, "display_node": span.display_node or span.node}
        about |= {"class_type": span.class_type, "cached": False}
        name = f"{span.class_type} ({span.node})"
        yield _slice(name, "node", WORKER, row, _begin(span), _end(span) - _begin(span), about)
    yield from _cached(job, min(begun))


def _cached(job: Job, begun: int) -> Iterator[dict[str, Any]]:
    """A mark for each node that was not run again; they take no time, so they are no slices."""
    for kind, data in job.messages:
        if kind == "execution_cached":
            moment = data["timestamp"] * 1000 if isinstance(data.get("timestamp"), int) else begun
            for node in data.get("nodes", ()):
                class_type = str(job.prompt.get(node, {}).get("class_type", ""))
                about = {"node": node, "display_node": node, "class_type": class_type, "cached": True}
                mark = {"name": f"{class_type} ({node})", "cat": "node", "ph": "i", "s": "t", "ts": moment}
                yield {**mark, "pid": WORKER, "tid": 0, "args": about}


def _slice(
    name: str, category: str, process: int, thread: int, begin: int, length: int, about: dict[str, Any]
) -> dict[str, Any]:
    known = {name: value for name, value in about.items() if value is not None}
    place = {"ts": begin, "dur": length, "pid": process, "tid": thread}
    return {"name": name, "cat": category, "ph": "X", **place, "args": known}


def _name(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


def _begin(span: Span) -> int:
    return round(span.start * 1000)


def _end(span: Span) -> int:
    return _begin(span) + max(0, round(span.seconds * 1_000_000))
