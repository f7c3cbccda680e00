"""Jobs, events and outputs as rows, and back."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from engine.errors import LatentwireError
from server.jobs.job import SECRETS, Brief, Job, NewEvent, NewJob, Output, Span, State, StoredEvent
from server.jobs.refusals import Unreadable

Row = tuple[Any, ...]

COMPRESSED = 4096
"""Characters from which a text is stored compressed: a page of the file. Measured 2026-11: docs/decisions/0008."""
LARGE = 300
"""Nodes from which a prompt or a workflow is turned into text off the event loop; about 1 ms of work."""
LEVELS = 5  # extra_data, extra_pnginfo, workflow, nodes, node

BRIEF = "id, sequence, number, state, created, client_id, attempts, interruptions, models, digest"
JOB = (
    "job.sequence, job.id, job.number, job.state, job.created, job.client_id, job.workflow_id, job.digest, job.models,"
    " job.outputs, job.unvalidated, job.attempts, job.started, job.ended, job.worker, job.cause, job.is_listed,"
    " job.interruptions, ending.error, ending.messages, ending.spans"
)
EVENT = "event.number, job.id, event.type, event.data, event.time, job.client_id"

T = TypeVar("T", dict[str, Any], list[Any])

_NAMES: Mapping[type, str] = {dict: "expected an object", list: "expected a list"}

_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
_encode_strictly = json.JSONEncoder(separators=(",", ":"), default=str, allow_nan=False).encode


def text(value: Any) -> str:
    """A value as JSON, in ASCII, so that no half of a surrogate pair stands in its way. Raises: LatentwireError."""
    try:
        return _encode(value)
    except RecursionError as error:
        raise LatentwireError("expected a prompt of at most some hundred levels, got one nested deeper") from error


def message(value: Any) -> str:
    """What is sent to clients as JSON that all of them can read: what is no number there becomes null."""
    try:
        return _encode_strictly(value)
    except ValueError:
        return _encode_strictly(_finite(value))


def request(new: NewJob) -> Row:
    """The prompt, the extra data and the secrets of a job as JSON."""
    return text(new.prompt), text(_without_secrets(new)), secrets(new)


def large_request(new: NewJob) -> Row:
    """The same for a thread: in pieces, because nobody else may run while one piece is made."""
    return _in_pieces(new.prompt, LEVELS), _in_pieces(_without_secrets(new), LEVELS), secrets(new)


def secrets(new: NewJob) -> str:
    """What was sent along for the nodes only; "" where there is none."""
    found = {name: new.extra_data[name] for name in SECRETS if name in new.extra_data}
    return text(found) if found else ""


def with_secrets(job: Job, secret: str) -> Job:
    """A job that is to run, with its secrets."""
    return replace(job, extra_data={**job.extra_data, **json.loads(secret)})


def _without_secrets(new: NewJob) -> Mapping[str, Any]:
    return {name: value for name, value in new.extra_data.items() if name not in SECRETS}


def is_large(new: NewJob) -> bool:
    """Whether turning a job into text would hold up the event loop."""
    workflow = _workflow(new.extra_data)
    nodes = workflow.get("nodes")
    return len(new.prompt) > LARGE or len(workflow) > LARGE or (isinstance(nodes, list) and len(nodes) > LARGE)


def workflow_id(new: NewJob) -> str | None:
    """The editor's name for the workflow a job was made from, where it gave one."""
    name = _workflow(new.extra_data).get("id")
    return storable(name) if isinstance(name, str) else None


def storable(name: str) -> str:
    """A text that SQLite takes: half a surrogate pair, which is no character, becomes a question mark."""
    return name if name.isascii() else name.encode(errors="replace").decode()


def accepted(new: NewJob, brief: Brief) -> Row:
    """A new job's row."""
    return (
        brief.sequence,
        brief.id,
        brief.number,
        State.WAITING.value,
        brief.created,
        brief.client_id,
        workflow_id(new),
        new.digest,
        _list(new.models),
        _list(new.outputs),
        _list(new.unvalidated),
    )


def brief(row: Row) -> tuple[Brief, str]:
    """A job from the columns of BRIEF, and its digest."""
    job, sequence, number, state, created, client, attempts, interruptions, models, digest = row
    known = Brief(
        id=job,
        sequence=sequence,
        number=number,
        state=State(state),
        created=created,
        client_id=client,
        attempts=attempts,
        interruptions=interruptions,
        models=_read_or_empty(models, list),
    )
    return known, digest


def job(row: Row, shown: Sequence[Output], *, is_to_run: bool = False) -> Job:
    """A job from the columns of JOB, followed by its prompt and extra data as they are stored (or None).

    What is not readable shows as empty; of a job that is to run everything has to be. Raises: Unreadable.
    """
    asked = _read if is_to_run else _read_or_empty
    return Job(
        sequence=row[0],
        id=row[1],
        number=row[2],
        state=State(row[3]),
        created=row[4],
        client_id=row[5],
        workflow_id=row[6],
        digest=row[7],
        models=_read_or_empty(row[8], list),
        outputs=asked(row[9], list),
        unvalidated=asked(row[10], list),
        attempts=row[11],
        started=row[12],
        ended=row[13],
        worker=row[14],
        cause=row[15],
        is_listed=bool(row[16]),
        interruptions=row[17],
        error=None if row[18] is None else json.loads(row[18]),
        messages=[(kind, data) for kind, data in json.loads(row[19] or "[]")],
        spans=[Span(*each) for each in json.loads(row[20] or "[]")],
        prompt=asked(row[21], dict),
        extra_data=asked(row[22], dict),
        shown=shown,
    )


def ending(
    sequence: int,
    error: Mapping[str, Any] | None,
    messages: Sequence[tuple[str, Mapping[str, Any]]],
    spans: Sequence[Span],
) -> Row:
    """The row of how a job ended."""
    told = None if error is None else message(error)
    return sequence, told, message(list(messages)), _list([_span(each) for each in spans])


def _span(span: Span) -> Row:
    # dataclasses.astuple copies every value deeply: 12 ms for a thousand nodes, on the event loop (2026-11).
    return span.node, span.class_type, span.start, span.seconds, span.display_node


def output(sequence: int, shown: Output) -> Row:
    """The row of what a node showed."""
    return sequence, message(
        {
            "node": shown.node,
            "ui": shown.ui,
            "display_node": shown.display_node,
            "parent_node": shown.parent_node,
            "real_node": shown.real_node,
        }
    )


def outputs(texts: Sequence[str]) -> list[Output]:
    """What the nodes of a job showed, in order; of a node that ran twice, what it showed last."""
    latest: dict[str, Output] = {}
    for each in texts:
        shown = Output(**json.loads(each))
        latest.pop(shown.node, None)
        latest[shown.node] = shown
    return list(latest.values())


def event(brief: Brief, number: int, new: NewEvent, time: int) -> StoredEvent:
    """A numbered event."""
    return StoredEvent(number, brief.id, new.type, message(new.data), time, brief.client_id)


def has_texts(stored: str | bytes | None, wanted: str) -> bool:
    """Whether stored extra data have texts. wanted: [[[key, key, …], text], …] as JSON."""
    extra_data = _read_or_empty(stored, dict)
    return all(_at(extra_data, path) == text for path, text in json.loads(wanted))


def _at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def pack(stored: str) -> str | bytes:
    """A text as it is stored: compressed where that saves pages."""
    return stored if len(stored) < COMPRESSED else zlib.compress(stored.encode(), 1)


def _read(stored: str | bytes | None, kind: type[T]) -> T:
    """A value that `pack` or `text` made. Raises: Unreadable."""
    try:
        value = json.loads(zlib.decompress(stored) if isinstance(stored, bytes) else stored or "")
    except (ValueError, TypeError, RecursionError, zlib.error) as error:
        raise Unreadable(f"{_NAMES[kind]} as JSON, got {stored!r:.40} ({error})") from error
    if not isinstance(value, kind):
        raise Unreadable(f"{_NAMES[kind]}, got {value!r:.40}")
    return value


def _read_or_empty(stored: str | bytes | None, kind: type[T]) -> T:
    if stored is None:
        return kind()
    try:
        return _read(stored, kind)
    except Unreadable:
        return kind()


def _list(values: Sequence[Any]) -> str:
    return text(list(values)) if values else "[]"


def _workflow(extra_data: Mapping[str, Any]) -> Mapping[str, Any]:
    info = extra_data.get("extra_pnginfo")
    workflow = info.get("workflow") if isinstance(info, Mapping) else None
    return workflow if isinstance(workflow, Mapping) else {}


def _in_pieces(value: Any, levels: int) -> str:
    if levels and isinstance(value, dict):
        return "{" + ",".join(f"{text(str(key))}:{_in_pieces(each, levels - 1)}" for key, each in value.items()) + "}"
    if levels and isinstance(value, list):
        return "[" + ",".join(_in_pieces(each, levels - 1) for each in value) + "]"
    return text(value)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
