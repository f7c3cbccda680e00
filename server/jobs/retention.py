"""What is removed, and when.

The rule: ended jobs beyond a count or an age go with all that belongs to them. An hour after a job has ended its
progress (`progress`, `progress_state`) goes: it is most of what is stored, and nobody waits for it any more; what
happened (`executing`, `executed`, the ends) stays as long as the job. Freed pages are used again; the file shrinks when
more than a quarter of it is free.

All of it is done in steps of some milliseconds, so that new jobs get their turn in between.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

STEP = 20
"""Jobs that are worked on in one go; 4 ms with 36 events and 8 KB each (measured 2026-11)."""
PAGES = 100
"""Pages, of 4 KiB, by which the file shrinks in one go."""
PROGRESS_KEPT = 3_600_000
"""Milliseconds for which progress is kept after the end of a job."""
DAY = 86_400_000
"""Milliseconds."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many ended jobs are kept, and for how many days; 0: no such limit."""

    jobs: int = 10_000
    days: float = 0.0


def beyond(connection: sqlite3.Connection, retention: Retention, now: int) -> list[str]:
    """The ended jobs that are to go."""
    found: dict[str, None] = {}
    if retention.days:
        age = now - int(retention.days * DAY)
        found.update(connection.execute("SELECT id, NULL FROM job WHERE ended < ?", (age,)))
    if retention.jobs:
        newest = "SELECT id, NULL FROM job WHERE end_order IS NOT NULL ORDER BY end_order DESC LIMIT -1 OFFSET ?"
        found.update(connection.execute(newest, (retention.jobs,)))
    return list(found)


def ended(connection: sqlite3.Connection) -> list[str]:
    """All jobs that have ended."""
    return [job for (job,) in connection.execute("SELECT id FROM job WHERE end_order IS NOT NULL")]


def remove(connection: sqlite3.Connection, jobs: Sequence[str]) -> list[str]:
    """Removes those of these jobs that have ended, with all that belongs to them. Returns: them."""
    found = connection.execute(
        "SELECT id, sequence FROM job WHERE end_order IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
        (json.dumps(jobs),),
    ).fetchall()
    sequences = [(sequence,) for _, sequence in found]
    for table in ("event", "output", "ending", "request", "secret"):
        connection.executemany(f"DELETE FROM {table} WHERE job = ?", sequences)
    connection.executemany("DELETE FROM job WHERE sequence = ?", sequences)
    return [job for job, _ in found]


def thin(connection: sqlite3.Connection, now: int) -> bool:
    """Removes the progress of a few jobs that ended some time ago. Returns: whether there may be more of them."""
    found = connection.execute(
        "SELECT sequence, end_order FROM job WHERE end_order > (SELECT value FROM counter WHERE name = 'thinned')"
        " AND ended <= ? ORDER BY end_order LIMIT ?",
        (now - PROGRESS_KEPT, STEP),
    ).fetchall()
    if not found:
        return False
    connection.executemany(
        "DELETE FROM event WHERE job = ? AND type IN ('progress', 'progress_state')",
        [(sequence,) for sequence, _ in found],
    )
    connection.execute("UPDATE counter SET value = ? WHERE name = 'thinned'", (found[-1][1],))
    return len(found) == STEP


def shrink(connection: sqlite3.Connection) -> bool:
    """Gives some pages back to the disk, when many are free. Returns: whether there may be more of them."""
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    if free * 4 < connection.execute("PRAGMA page_count").fetchone()[0] or free < PAGES:
        return False
    for _ in range(PAGES):  # sqlite3 takes one step of this pragma, which is one page, whatever it is asked for
        connection.execute("PRAGMA incremental_vacuum(1)")
    return True
