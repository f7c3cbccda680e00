"""What a job is: a prompt accepted to run, its states, what it left behind. Plain data that knows no disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from server.protocol.messages import ExecutionError

SECRETS = ("auth_token_comfy_org", "api_key_comfy_org")
"""Keys of extra_data that are for the nodes only: kept until the job ends, and never shown."""


class State(StrEnum):
    """Where a job stands. The last three are ends."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_end(self) -> bool:
        """Whether nothing more happens to the job."""
        return self not in (State.WAITING, State.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A prompt that has been validated and may be accepted.

    prompt: API JSON with converted values. outputs: the output nodes to run. extra_data: as the client sent it; its
    secrets are kept apart, until the job ends. number: the client's own priority, lower first; None counts on. digest:
    of the request, so that the same id with the same request is the same job. unvalidated: nodes whose author's check
    could not be asked yet. models: names of model files it uses, so that it goes where they are loaded.
    Units: created is milliseconds since 1970.
    """

    id: str
    prompt: Mapping[str, Any]
    outputs: Sequence[str]
    created: int
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    client_id: str | None = None
    number: float | None = None
    front: bool = False
    digest: str = ""
    unvalidated: Sequence[str] = ()
    models: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What is kept in memory of a job that waits or runs. Jobs run in the order of (number, sequence).

    attempts: how often it was begun. interruptions: how often a process ended over it that should not have.
    """

    id: str
    sequence: int
    number: float
    state: State
    created: int
    client_id: str | None = None
    attempts: int = 0
    interruptions: int = 0
    models: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """How long a node took. Units: start is milliseconds since 1970, seconds its duration; cached nodes have none."""

    node: str
    class_type: str
    start: float
    seconds: float
    display_node: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """What a node showed when it finished: a row of its own, so that it need not be made again."""

    node: str
    ui: Mapping[str, Sequence[Any]]
    display_node: str
    parent_node: str | None = None
    real_node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that is known of a job.

    error: the data of its execution_error, or of what else ended it. cause: why it failed in one word (node_error,
    crashed, out_of_memory, unresponsive, stalled, killed, …), None where it did not. messages: execution_start,
    execution_cached and its end as (type, data), for /history. is_listed: shown in /history (a job that was taken out
    of the queue is not). attempts, interruptions: as in Brief. worker: the name of the worker that ran it last.
    workflow_id: as the editor numbered the workflow it came from. Units: milliseconds since 1970.
    """

    id: str
    sequence: int
    number: float
    state: State
    created: int
    prompt: Mapping[str, Any]
    outputs: Sequence[str]
    extra_data: Mapping[str, Any]
    client_id: str | None
    digest: str
    unvalidated: Sequence[str] = ()
    models: Sequence[str] = ()
    attempts: int = 0
    interruptions: int = 0
    started: int | None = None
    ended: int | None = None
    worker: str | None = None
    error: ExecutionError | None = None
    cause: str | None = None
    messages: Sequence[tuple[str, Mapping[str, Any]]] = ()
    spans: Sequence[Span] = ()
    shown: Sequence[Output] = ()
    is_listed: bool = True
    workflow_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A message about a job that is to be numbered, stored and sent: its type and data as protocol.md has them."""

    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture or a text for the job's client that is sent in its place among the events but not stored.

    kind: "preview" (data is an encoded picture of type mime) or "text" (data is UTF-8). is_asked: as in events.Preview.
    """

    kind: str
    node: str
    data: bytes
    mime: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    is_asked: bool = True


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that is safe on the disk. `text` is its data as JSON; numbers rise by time over all jobs of a server."""

    number: int
    job: str
    type: str
    text: str
    time: int
    client_id: str | None


Item = NewEvent | Frame
Sent = StoredEvent | Frame
