"""A long history without running anything: one job is written as the server writes it, the others are copies."""

import asyncio
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any

from server.jobs.job import NewEvent, NewJob, Output, Span, State
from server.jobs.store import Jobs, Retention

ID = "substr('{0}', 1, 24) || printf('%012x', i)"
SHIFTED = {
    "job": {"sequence": "sequence + i", "number": "number + i", "id": ID, "created": "created + i"},
    "request": {"job": "job + i"},
    "ending": {"job": "job + i"},
    "output": {"position": "NULL", "job": "job + i"},
    "event": {"job": "job + i", "number": "number + i * {1}"},
}
"""What differs in the copy of number i of each table's row."""


def fill(file: Path, count: int, prompt: dict[str, Any]) -> None:
    """Makes the file of a server that has run a prompt so often."""
    job = str(uuid.uuid4())
    asyncio.run(_first(file, job, prompt))
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("BEGIN")
        events = connection.execute("SELECT count(*) FROM event").fetchone()[0]
        for table, shifted in SHIFTED.items():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(shifted.get(column, column).format(job, events) for column in columns)
            connection.execute(
                f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})"
                f" INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}, n"
            )
        connection.execute("UPDATE counter SET value = value * ? WHERE name = 'event'", (count,))
        connection.execute("COMMIT")
    finally:
        connection.close()


async def _first(file: Path, job: str, prompt: dict[str, Any]) -> None:
    now = int(time.time() * 1000)
    jobs = Jobs(file, Retention())
    jobs.open()
    try:
        await jobs.submit(NewJob(id=job, prompt=prompt, outputs=[*prompt], created=now, client_id="history"))
        await jobs.start(job, "worker-0")
        ui = {"images": [{"filename": "history_00001_.png", "subfolder": "", "type": "output"}]}
        begun = NewEvent("execution_start", {"prompt_id": job, "timestamp": now})
        node = next(iter(prompt))
        await jobs.record(job, [begun, NewEvent("executed", {"node": node, "output": ui, "prompt_id": job})])
        await jobs.record(job, [], [Output(node, ui, node)])
        done = NewEvent("execution_success", {"prompt_id": job, "timestamp": now})
        messages = [(each.type, each.data) for each in (begun, done)]
        spans = [Span(each, prompt[each]["class_type"], now, 0.01) for each in prompt]
        await jobs.finish(job, State.SUCCEEDED, [done], messages=messages, spans=spans)
    finally:
        await jobs.close()
