"""Questions to the file. Each takes a connection and answers with plain data; none writes."""

import heapq
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from server.jobs import rows
from server.jobs.job import Job, Output, State, StoredEvent
from server.jobs.writes import Known

SORTINGS = {
    "created_at": "job.created",
    "execution_duration": "job.ended - job.started",
    "priority": "job.number",
}
_MAY_BE_UNKNOWN = frozenset({SORTINGS["execution_duration"]})  # of jobs that never ran, or run still


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a list of jobs asks for. states: empty means all. sort_by: one of SORTINGS.

    texts: what extra_data has to have, by the keys that lead to it. before: only jobs older than the one with this
    (created, sequence), which stays the same place in the list whatever comes and goes.
    """

    states: Sequence[State] = ()
    workflow_id: str | None = None
    texts: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    before: tuple[int, int] | None = None
    sort_by: str = "created_at"
    descending: bool = True
    limit: int | None = None
    offset: int = 0


def one(connection: sqlite3.Connection, job: str) -> Job | None:
    """All that is known of a job."""
    return next(iter(many(connection, [job])), None)


def to_run(connection: sqlite3.Connection, job: str) -> Job:
    """A job that is to run now. Raises: Unreadable."""
    (found,) = _jobs(connection, "WHERE job.id = ?", [job], whole=True, is_to_run=True)
    return found


def many(connection: sqlite3.Connection, jobs: Sequence[str], *, whole: bool = True) -> list[Job]:
    """The same for several, in their order; those that are not there are left out."""
    found = _jobs(connection, "WHERE job.id IN (SELECT value FROM json_each(?))", [json.dumps(jobs)], whole)
    by_id = {each.id: each for each in found}
    return [by_id[each] for each in jobs if each in by_id]


def history(
    connection: sqlite3.Connection, max_items: int | None, offset: int | None, *, whole: bool = True
) -> list[Job]:
    """Ended jobs, the oldest first; without an offset the newest so many."""
    listed = "WHERE job.end_order IS NOT NULL AND job.is_listed ORDER BY job.end_order {0} LIMIT ? OFFSET ?"
    limit = -1 if max_items is None else max(0, max_items)
    if offset is None or offset < 0:
        return _jobs(connection, listed.format("DESC"), [limit, 0], whole)[::-1]
    return _jobs(connection, listed.format("ASC"), [limit, offset], whole)


def page(connection: sqlite3.Connection, query: Query, *, whole: bool = True) -> tuple[list[Job], int]:
    """A page of jobs, and how many there are in all."""
    where, values = _filter(query)
    total = connection.execute(f"SELECT count(*) FROM job {where}", values).fetchone()[0]
    key = SORTINGS[query.sort_by]
    direction = "DESC" if query.descending else "ASC"
    unknown = f"{key} IS NULL, " if key in _MAY_BE_UNKNOWN else ""  # those come last in either direction
    order = f"ORDER BY {unknown}{key} {direction}, job.sequence {direction} LIMIT ? OFFSET ?"
    limit = -1 if query.limit is None else query.limit
    return _jobs(connection, f"{where} {order}", [*values, limit, query.offset], whole), total


def state(connection: sqlite3.Connection, job: str) -> State | None:
    """Where a job stands, and nothing else."""
    row = connection.execute("SELECT state FROM job WHERE id = ?", (rows.storable(job),)).fetchone()
    return None if row is None else State(row[0])


def shown(connection: sqlite3.Connection, job: str) -> list[Output]:
    """What the nodes of a job have shown so far."""
    found = connection.execute(
        "SELECT output.data FROM job JOIN output ON output.job = job.sequence WHERE job.id = ?"
        " ORDER BY output.position",
        (rows.storable(job),),
    )
    return rows.outputs([data for (data,) in found])


def events(
    connection: sqlite3.Connection,
    after: int,
    job: str | None,
    client: str | None,
    limit: int,
    characters: int | None = None,
) -> list[StoredEvent]:
    """Stored events with a higher number, of a job, or of a client's jobs, or all; at most so much of them."""
    if job is not None:
        found = _of_job(connection, after, job)
    elif client is not None:
        found = _of_client(connection, after, client)
    else:
        found = _of_all(connection, after)
    page: list[StoredEvent] = []
    for event in islice(found, limit):
        page.append(event)
        if characters is not None:
            characters -= len(event.text)
            if characters < 0:
                break
    return page


def last_of(connection: sqlite3.Connection, job: str, type: str) -> str | None:
    """The data, as JSON, of the latest event of a type about a job."""
    row = connection.execute(
        "SELECT event.data FROM job CROSS JOIN event ON event.job = job.sequence"
        " WHERE job.id = ? AND event.type = ? ORDER BY event.number DESC LIMIT 1",
        (rows.storable(job), type),
    ).fetchone()
    return None if row is None else str(row[0])


def last_number(connection: sqlite3.Connection, job: str) -> int:
    """The number of the latest event about a job; 0 where there is none."""
    row = connection.execute(
        "SELECT max(event.number) FROM job CROSS JOIN event ON event.job = job.sequence WHERE job.id = ?",
        (rows.storable(job),),
    ).fetchone()
    return int(row[0] or 0)


def active(connection: sqlite3.Connection) -> list[Known]:
    """The jobs that wait or run."""
    found = connection.execute(f"SELECT {rows.BRIEF} FROM job WHERE end_order IS NULL ORDER BY sequence")
    return [rows.brief(row) for row in found]


def last_sequence(connection: sqlite3.Connection) -> int:
    """The highest place in the order of acceptance that was ever given."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'job'").fetchone()
    return int(row[0]) if row else 0


def last_event(connection: sqlite3.Connection) -> int:
    """The highest number of an event that was ever given."""
    return int(connection.execute("SELECT value FROM counter WHERE name = 'event'").fetchone()[0])


def last_end(connection: sqlite3.Connection) -> int:
    """The highest place in the order of the ends; at least that up to which retention has worked."""
    return int(
        connection.execute(
            "SELECT max((SELECT value FROM counter WHERE name = 'thinned'), coalesce(max(end_order), 0)) FROM job"
            " WHERE end_order IS NOT NULL"
        ).fetchone()[0]
    )


def _of_job(connection: sqlite3.Connection, after: int, job: str) -> Iterator[StoredEvent]:
    found = connection.execute(
        f"SELECT {rows.EVENT} FROM job CROSS JOIN event ON event.job = job.sequence"
        " WHERE job.id = ? AND event.number > ? ORDER BY event.number",
        (rows.storable(job), after),
    )
    return (StoredEvent(*row) for row in found)


def _of_all(connection: sqlite3.Connection, after: int) -> Iterator[StoredEvent]:
    found = connection.execute(
        f"SELECT {rows.EVENT} FROM event JOIN job ON event.job = job.sequence WHERE event.number > ?"
        " ORDER BY event.number",
        (after,),
    )
    return (StoredEvent(*row) for row in found)


def _of_client(connection: sqlite3.Connection, after: int, client: str) -> Iterator[StoredEvent]:
    """Merges the events of the client's jobs. A job is opened only when its first event may be the next, so that of
    thousands only those are read that ran side by side."""
    candidates = connection.execute(
        "SELECT first_event, sequence, id FROM job WHERE client_id = ? AND first_event IS NOT NULL"
        " AND (last_event IS NULL OR last_event > ?) ORDER BY first_event",
        (rows.storable(client), after),
    )
    open_jobs: list[tuple[int, StoredEvent, Iterator[StoredEvent]]] = []
    for first, sequence, job in candidates:
        yield from _merged(open_jobs, first)
        _push(open_jobs, _of_sequence(connection, after, sequence, job, client))
    yield from _merged(open_jobs, None)


def _of_sequence(
    connection: sqlite3.Connection, after: int, sequence: int, job: str, client: str
) -> Iterator[StoredEvent]:
    found = connection.execute(
        "SELECT number, type, data, time FROM event WHERE job = ? AND number > ? ORDER BY number", (sequence, after)
    )
    return (StoredEvent(number, job, kind, text, time, client) for number, kind, text, time in found)


def _merged(
    open_jobs: list[tuple[int, StoredEvent, Iterator[StoredEvent]]], before: int | None
) -> Iterator[StoredEvent]:
    """Events in order up to a number; those that are left stay in the heap."""
    while open_jobs and (before is None or open_jobs[0][0] < before):
        _, event, rest = heapq.heappop(open_jobs)
        yield event
        _push(open_jobs, rest)


def _push(open_jobs: list[tuple[int, StoredEvent, Iterator[StoredEvent]]], events: Iterator[StoredEvent]) -> None:
    event = next(events, None)
    if event is not None:
        heapq.heappush(open_jobs, (event.number, event, events))  # no two have the same number


def _filter(query: Query) -> tuple[str, list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if query.states:
        conditions.append(f"job.state IN ({', '.join('?' * len(query.states))})")
        values += [state.value for state in query.states]
        if not any(state.is_end for state in query.states):
            conditions.append("job.end_order IS NULL")  # lets SQLite use the index of the few that wait or run
    if query.workflow_id is not None:
        conditions.append("job.workflow_id = ?")
        values.append(rows.storable(query.workflow_id))
    if query.before is not None:
        conditions.append("(job.created, job.sequence) < (?, ?)")
        values += query.before
    if query.texts:
        conditions.append("has_texts((SELECT extra_data FROM request WHERE request.job = job.sequence), ?)")
        values.append(json.dumps([*query.texts.items()]))
    return f"WHERE {' AND '.join(conditions)}" if conditions else "", values


def _jobs(
    connection: sqlite3.Connection, clause: str, values: Sequence[Any], whole: bool, is_to_run: bool = False
) -> list[Job]:
    body = "request.prompt, request.extra_data" if whole else "NULL, NULL"
    found = connection.execute(
        f"SELECT {rows.JOB}, {body} FROM job LEFT JOIN ending ON ending.job = job.sequence"
        f" LEFT JOIN request ON request.job = job.sequence {clause}",
        values,
    ).fetchall()
    texts = _outputs(connection, [row[0] for row in found])
    return [rows.job(row, rows.outputs(texts.get(row[0], [])), is_to_run=is_to_run) for row in found]


def _outputs(connection: sqlite3.Connection, sequences: Sequence[int]) -> dict[int, list[str]]:
    texts: dict[int, list[str]] = {}
    found = connection.execute(
        "SELECT job, data FROM output WHERE job IN (SELECT value FROM json_each(?)) ORDER BY position",
        (json.dumps(sequences),),
    )
    for job, data in found:
        texts.setdefault(job, []).append(data)
    return texts
