"""What a pool of workers is asked, and what it tells: plain data, and the door of whoever listens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a worker is given up. Units: seconds, and bytes of memory (None: no limit).

    cancel_grace: without a sign that the running node saw the cancel. unwinding: from that sign to the end of the job.
    heartbeat: of silence. stall: of a job without an event, a look at the cancel flag, or computing (0: for ever).
    start: until the nodes are imported, and for each plugin. plugin: of a plugin's import that computes nothing (0: as
    start). memory: beyond it a worker is replaced between jobs.
    memory_limit: beyond it a worker is ended at once. Memory is what only ending the process gives back; mapped files
    do not count.
    """

    cancel_grace: float = 3.0
    unwinding: float = 10.0
    heartbeat: float = 30.0
    stall: float = 1800.0
    start: float = 180.0
    plugin: float = 60.0
    memory: int | None = None
    memory_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A prompt for a worker to run; models are the names of files it loads."""

    job: str
    prompt: Mapping[str, Any]
    targets: Sequence[str]
    extra: Mapping[str, Any] = field(default_factory=dict)
    unvalidated: Sequence[str] = ()
    attempt: int = 1
    client_id: str | None = None
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    models: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class End:
    """How a task ended. status: succeeded, failed or cancelled as the worker said it, or "died".

    When the worker died: cause is one word (crashed, exited, out_of_memory, unresponsive, stalled, cancelled, killed,
    stopped), message a line of whole sentences for people and, below it, what the worker printed last; is_nodes_fault
    whether trying again is pointless.
    """

    status: str
    cause: str = ""
    message: str = ""
    is_nodes_fault: bool = False

    @property
    def summary(self) -> str:
        """The message without what the worker printed, which the log has already."""
        return self.message.partition("\n")[0]


class Listener(Protocol):
    """Who is told what workers do. A worker is not read further until these return."""

    async def types(self, worker: str, message: Mapping[str, Any]) -> None:
        """A worker has imported its nodes (the message "types")."""

    async def event(self, worker: str, job: str, event: Mapping[str, Any], data: bytes) -> None:
        """Something happened to a job (the message "event")."""

    async def ended(self, worker: str, job: str, end: End) -> None:
        """A worker is done with a job, or died over it; nothing more comes from it about this job."""

    def free(self) -> None:
        """A worker may have become free."""

    async def plugins(self, worker: str, message: Mapping[str, Any]) -> None:
        """What plugins a worker has imported, and what they offer (the message "plugins")."""

    def tell(self, worker: str, message: Mapping[str, Any], data: bytes) -> None:
        """A plugin has something for clients (the messages "tell" and "text")."""

    async def want(self, worker: str, what: str, data: Any) -> Any:
        """A plugin asks something. Returns: the answer. Raises: LatentwireError, whose text is the refusal."""

    def lost(self, worker: str, why: str) -> bool:
        """A worker ended before it was ready, or while it imported plugins again. why: how, in words.

        Returns: whether the next one will be spared the reason, so that it can be started at once.
        """
        return False

    def gone(self, worker: str) -> None:
        """A worker's process has ended: it answers nothing any more."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker as others see it. state: starting, idle, busy, reloading, stopping, broken. message: why it is broken.

    A worker whose memory is being emptied is "stopping" until it is known whether that was enough.
    """

    name: str
    state: str
    pid: int | None = None
    job: str | None = None
    memory: int = 0
    restarts: int = 0
    devices: Sequence[Mapping[str, Any]] = ()
    system: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
