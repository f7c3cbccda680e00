"""Ends that no worker tells of: what clients and the history entry are told of them, from what is known.

A job whose process ended over it too often, one that is damaged on the disk, one that was cancelled before it ran.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.jobs.job import Brief, NewEvent
from server.jobs.queries import one
from server.protocol.messages import Executing, ExecutionError, ExecutionInterrupted

CAUSE = "interrupted"
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Interruption:
    """Such an end. Units: now is milliseconds since 1970."""

    error: ExecutionError
    messages: list[tuple[str, Mapping[str, Any]]]
    events: list[NewEvent]


def interruption(connection: sqlite3.Connection, brief: Brief, now: int) -> Interruption:
    """Reads how far the job came."""
    began, nodes = _story(connection, brief)
    node = nodes[-1] if nodes else ""
    job = one(connection, brief.id)
    message = (
        f"The server or the worker ended {_times(brief.interruptions)} while this job ran, so it is not begun again."
        " Run it once more, or start the server with a higher --max-attempts.\n"
    )
    error: ExecutionError = {
        **_error(brief.id, CAUSE, message, now),
        "node_id": node,
        "node_type": str(job.prompt.get(node, {}).get("class_type", "")) if job else "",
        "executed": list(dict.fromkeys(nodes[:-1])),
    }
    return _told(brief.id, error, began)


def unreadable(job: str, reason: str, now: int) -> Interruption:
    """The end of a job that cannot be begun, because what is stored of it is damaged."""
    message = f"This job is damaged on the server's disk, so it cannot run ({reason}). Run it once more.\n"
    return _told(job, _error(job, UNREADABLE, message, now), [])


def _error(job: str, cause: str, message: str, now: int) -> ExecutionError:
    return {
        "prompt_id": job,
        "node_id": "",
        "node_type": "",
        "executed": [],
        "exception_message": message,
        "exception_type": cause.capitalize(),
        "traceback": [],
        "current_inputs": {},
        "current_outputs": [],
        "cause": cause,
        "timestamp": now,
    }


def _told(job: str, error: ExecutionError, began: list[tuple[str, Mapping[str, Any]]]) -> Interruption:
    return Interruption(
        error, [*began, ("execution_error", error)], [NewEvent("execution_error", error), end_mark(job)]
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def end_mark(job: str) -> NewEvent:
    """The message that nearly all clients wait for."""
    return NewEvent("executing", Executing(node=None, prompt_id=job))


def withdrawal(job: str, now: int) -> NewEvent:
    """The message about a job that was cancelled before it ran."""
    data: ExecutionInterrupted = {"prompt_id": job, "node_id": None, "node_type": "", "executed": [], "timestamp": now}
    return NewEvent("execution_interrupted", data)


def _story(connection: sqlite3.Connection, brief: Brief) -> tuple[list[tuple[str, Mapping[str, Any]]], list[str]]:
    """How the last attempt began, and the nodes that it came to."""
    began: list[tuple[str, Mapping[str, Any]]] = []
    nodes: list[str] = []
    found = connection.execute(
        "SELECT type, data FROM event WHERE job = ? AND type IN ('execution_start', 'execution_cached', 'executing')"
        " ORDER BY number",
        (brief.sequence,),
    )
    for kind, text in found:
        data = json.loads(text)
        if kind == "execution_start":
            began, nodes = [], []
        if kind != "executing":
            began.append((kind, data))
        elif data.get("node") is not None:
            nodes.append(str(data["node"]))
    return began, nodes
