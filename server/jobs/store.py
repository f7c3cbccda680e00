"""Jobs, their events and their history: rows in SQLite, so that nothing that was accepted is lost."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import LatentwireError
from server.jobs.job import Brief, Item, Job, NewJob, Output, Sent, Span, State, StoredEvent


class JobConflict(LatentwireError):
    """A prompt id that another request has taken already."""


class JobGone(LatentwireError):
    """A job that is not there, or no longer in the state that the request needs."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many ended jobs are kept, and for how many days; 0: no such limit."""

    jobs: int = 10_000
    days: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What GET /api/jobs asks for. states: empty means all. sort_by: created_at or execution_duration."""

    states: Sequence[State] = ()
    workflow_id: str | None = None
    sort_by: str = "created_at"
    descending: bool = True
    limit: int | None = None
    offset: int = 0


class Jobs:
    """All jobs of a server. One process at a time may have them open; every method is called on the event loop."""

    def __init__(self, file: Path, retention: Retention, *, max_attempts: int = 5) -> None:
        raise NotImplementedError

    def open(self) -> None:
        """Opens or makes the file, brings its schema up to date, and puts what was running back into the queue.

        Raises: PathError, when the file cannot be written, is no such file, is newer than this program, or is open
        in another process.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Waits for what is being written and closes the file."""
        raise NotImplementedError

    @property
    def remaining(self) -> int:
        """How many jobs wait or run."""
        raise NotImplementedError

    def waiting(self) -> list[Brief]:
        """Those that wait, the next to run first."""
        raise NotImplementedError

    def running(self) -> list[Brief]:
        """Those that run."""
        raise NotImplementedError

    def next(self) -> Brief | None:
        """The job to run next."""
        raise NotImplementedError

    async def submit(self, new: NewJob) -> tuple[Brief, bool]:
        """Accepts a job; it is on the disk when this returns. Returns: the job, and whether it is new.

        Raises: JobConflict, when the id is taken by another request.
        """
        raise NotImplementedError

    async def start(self, job: str, worker: str) -> Job:
        """A waiting job now runs, one attempt more. Raises: JobGone."""
        raise NotImplementedError

    def record(self, job: str, items: Sequence[Item], shown: Sequence[Output] = ()) -> Awaitable[Sequence[Sent]]:
        """Numbers and stores what happened, and what nodes showed.

        Answers when it is on the disk, in the order of the calls. Frames come back where they stood among the events.
        """
        raise NotImplementedError

    async def finish(
        self,
        job: str,
        state: State,
        items: Sequence[Item],
        *,
        error: Mapping[str, Any] | None = None,
        cause: str | None = None,
        messages: Sequence[tuple[str, Mapping[str, Any]]] = (),
        spans: Sequence[Span] = (),
    ) -> Sequence[Sent]:
        """Ends a job: state, error, history and last events are on the disk together when this returns."""
        raise NotImplementedError

    async def requeue(self, job: str) -> State:
        """A running job that was interrupted waits again; after max_attempts it fails instead, with cause
        "interrupted". Returns: what became of it."""
        raise NotImplementedError

    async def withdraw(self, jobs: Sequence[str] | None, *, listed: bool = False) -> list[str]:
        """Cancels waiting jobs (None: all of them). Returns: those it cancelled. listed: show them in /history."""
        raise NotImplementedError

    async def get(self, job: str) -> Job | None:
        """All that is known of a job."""
        raise NotImplementedError

    async def many(self, jobs: Sequence[str]) -> list[Job]:
        """The same for several, in their order; those that are not there are left out."""
        raise NotImplementedError

    async def history(self, max_items: int | None = None, offset: int | None = None) -> list[Job]:
        """Ended jobs, the oldest first; max_items alone means the newest so many."""
        raise NotImplementedError

    async def page(self, query: Query) -> tuple[list[Job], int]:
        """A page of jobs, and how many there are in all."""
        raise NotImplementedError

    async def forget(self, jobs: Sequence[str] | None) -> list[str]:
        """Removes ended jobs (None: all of them). Returns: those it removed."""
        raise NotImplementedError

    async def shown(self, job: str) -> list[Output]:
        """What the nodes of a job have shown so far."""
        raise NotImplementedError

    async def events(
        self, after: int, *, job: str | None = None, client: str | None = None, limit: int = 1000
    ) -> list[StoredEvent]:
        """Stored events with a higher number, of a job or of a client's jobs, in order."""
        raise NotImplementedError

    @property
    def last_event(self) -> int:
        """The highest number of an event there is."""
        raise NotImplementedError

    async def prune(self) -> list[Job]:
        """Removes ended jobs beyond the retention. Returns: them, so that their temporary files can go too."""
        raise NotImplementedError
