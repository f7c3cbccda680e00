"""What is to be done to the file, one operation at a time, and how many of them are done in one go.

An operation is plain rows wherever that is possible, so that those of many operations go to SQLite together.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.jobs import rows
from server.jobs.job import Brief
from server.jobs.rows import Row

Known = tuple[Brief, str]
"""A job and the digest of its request."""

ACCEPT = (
    "INSERT INTO job (sequence, id, number, state, created, client_id, workflow_id, digest, models, outputs,"
    " unvalidated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
REQUEST = "INSERT INTO request (job, prompt, extra_data) VALUES (?, ?, ?)"
SECRET = "INSERT INTO secret (job, data) VALUES (?, ?)"
FORGET_SECRET = "DELETE FROM secret WHERE job = ?"
EVENT = "INSERT INTO event (job, number, type, data, time) VALUES (?, ?, ?, ?, ?)"
OUTPUT = "INSERT INTO output (job, data) VALUES (?, ?)"
COUNT = "UPDATE counter SET value = ? WHERE name = 'event'"

START = (
    "UPDATE job SET state = 'running', started = ?, worker = ?, attempts = ?, first_event = coalesce(first_event, ?)"
    " WHERE sequence = ?"
)
FIRST = "UPDATE job SET first_event = coalesce(first_event, ?) WHERE sequence = ?"
WAIT = "UPDATE job SET state = 'waiting', interruptions = ? WHERE sequence = ?"
NUMBER = "UPDATE job SET number = ? WHERE sequence = ?"
INTERRUPT = "UPDATE job SET interruptions = ? WHERE sequence = ?"
END = (
    "UPDATE job SET state = ?, ended = ?, end_order = ?, cause = ?, is_listed = ?,"
    " first_event = coalesce(first_event, ?), last_event = ? WHERE sequence = ?"
)
ENDING = "INSERT OR REPLACE INTO ending (job, error, messages, spans) VALUES (?, ?, ?, ?)"


@dataclass(slots=True, eq=False)
class Write:
    """An operation, and those who wait for it.

    job, request: rows of a new job. events, outputs: rows that only add. changes: statements on what is there already.
    run: what has to be decided by reading; its answer is the result. settle: called on the event loop when the
    operation is on the disk, or has failed (error), before anybody who waits goes on.
    taken: what is there already, where the id of the new job was.
    """

    job: Row | None = None
    request: Row = ()
    events: Sequence[Row] = ()
    outputs: Sequence[Row] = ()
    changes: Sequence[tuple[str, Row]] = ()
    run: Callable[[sqlite3.Connection], Any] | None = None
    settle: Callable[["Write"], None] | None = None
    result: Any = None
    error: Exception | None = None
    taken: Known | None = None
    waiters: list[asyncio.Future[Any]] = field(default_factory=list)

    def wait(self) -> asyncio.Future[Any]:
        """Answers with the result when it is on the disk."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiters.append(future)
        return future

    @property
    def is_empty(self) -> bool:
        """Whether the disk has nothing to do with it: it only keeps its place among the others."""
        return not (self.job or self.events or self.outputs or self.changes or self.run)


def store(connection: sqlite3.Connection, writes: Sequence[Write]) -> None:
    """Does operations in their order. What only adds goes in together; what reads finds all before it done."""
    done = 0
    for position, write in enumerate(writes):
        if write.run is not None:
            _add(connection, writes[done : position + 1])
            write.result = write.run(connection)
            done = position + 1
    _add(connection, writes[done:])


def _add(connection: sqlite3.Connection, writes: Sequence[Write]) -> None:
    _accept(connection, [write for write in writes if write.job is not None])
    events = [row for write in writes for row in write.events]
    if events:
        connection.executemany(EVENT, events)
        connection.execute(COUNT, (events[-1][1],))
    outputs = [row for write in writes for row in write.outputs]
    if outputs:
        connection.executemany(OUTPUT, outputs)
    for write in writes:
        for statement, row in write.changes:
            connection.execute(statement, row)


def _accept(connection: sqlite3.Connection, writes: Sequence[Write]) -> None:
    """New jobs; one whose id is there already is left out and told what is there."""
    if not writes:
        return
    cursor = connection.executemany(ACCEPT, [write.job for write in writes if write.job is not None])
    for write in writes:
        write.taken = _taken(connection, write) if cursor.rowcount < len(writes) else None
    connection.executemany(
        REQUEST,
        [
            (write.job[0], rows.pack(write.request[0]), rows.pack(write.request[1]))
            for write in writes
            if write.job is not None and write.taken is None
        ],
    )
    for write in writes:
        if write.job is not None and write.taken is None and write.request[2]:
            connection.execute(SECRET, (write.job[0], write.request[2]))


def _taken(connection: sqlite3.Connection, write: Write) -> Known | None:
    assert write.job is not None
    row = connection.execute(f"SELECT {rows.BRIEF} FROM job WHERE id = ?", (write.job[1],)).fetchone()
    known = rows.brief(row)
    return None if known[0].sequence == write.job[0] else known
