"""Several workers: started, kept alive, given tasks, told to stop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a worker is given up. Units: seconds, and bytes of resident memory (None: no limit)."""

    cancel_grace: float = 3.0
    unwinding: float = 10.0
    heartbeat: float = 30.0
    stall: float = 1800.0
    start: float = 180.0
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
    models: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class End:
    """How a task ended. status: succeeded, failed or cancelled as the worker said it, or "died".

    When the worker died: cause is one word (crashed, exited, out_of_memory, unresponsive, stalled, cancelled, killed,
    stopped), message a sentence for people, is_nodes_fault whether trying again is pointless.
    """

    status: str
    cause: str = ""
    message: str = ""
    is_nodes_fault: bool = False


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


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker as others see it. state: starting, idle, busy, stopping, broken. message: why it is broken."""

    name: str
    state: str
    pid: int | None = None
    job: str | None = None
    memory: int = 0
    restarts: int = 0
    devices: Sequence[Mapping[str, Any]] = ()
    system: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""


class Pool:
    """Workers by name ("worker-0" …). command(index) is what to start, environment(index) what to add to its variables.

    Every method is called on the event loop.
    """

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        listener: Listener,
        *,
        count: int = 1,
        limits: Limits | None = None,
        environment: Callable[[int], Mapping[str, str]] = lambda index: {},
    ) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Starts the workers and returns at once; they are kept alive until `stop`."""
        raise NotImplementedError

    async def stop(self, *, at_once: bool = False) -> None:
        """Ends the workers: they may unwind what runs (not at_once), then they are killed."""
        raise NotImplementedError

    def choose(self, models: Sequence[str]) -> str | None:
        """The idle worker that most likely has these models loaded; None when none is idle."""
        raise NotImplementedError

    async def run(self, worker: str, task: Task) -> None:
        """Hands a task to an idle worker; the listener is told the rest."""
        raise NotImplementedError

    def cancel(self, job: str) -> bool:
        """Asks the worker that runs the job to stop, and ends it when it does not listen. False: nobody runs it."""
        raise NotImplementedError

    async def check(self, prompt: Mapping[str, Any], targets: Sequence[str] | None, within: float) -> Any:
        """Has a worker validate a prompt with its authors' functions. None, when no worker answered in time."""
        raise NotImplementedError

    def release(self, *, unload_models: bool, free_memory: bool) -> None:
        """Asks every worker to free memory as soon as it runs nothing."""
        raise NotImplementedError

    @property
    def workers(self) -> list[WorkerState]:
        """All workers as they are now."""
        raise NotImplementedError
