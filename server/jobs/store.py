"""Jobs, their events and their history: rows in SQLite, so that nothing that was accepted is lost.

The door of this room. What becomes of a job is decided in memory, on the event loop; `writer` puts it on the disk, and
memory shows it once it is there. `readers` answer what memory does not know. docs/decisions/0008 says why.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from server.jobs import queries, retention, rows, schema, writes
from server.jobs.interruption import CAUSE, UNREADABLE, Interruption, end_mark, interruption, unreadable, withdrawal
from server.jobs.job import Brief, Item, Job, NewEvent, NewJob, Output, Sent, Span, State, StoredEvent
from server.jobs.lock import Lock
from server.jobs.numbering import Numbering
from server.jobs.queries import Query as Query
from server.jobs.queue import Entry, Queue
from server.jobs.readers import Readers
from server.jobs.refusals import JobConflict as JobConflict
from server.jobs.refusals import JobGone as JobGone
from server.jobs.refusals import NotStored as NotStored
from server.jobs.refusals import Unreadable
from server.jobs.reordering import renumbered
from server.jobs.retention import Retention as Retention
from server.jobs.writer import Writer
from server.jobs.writes import Known, Write

TOGETHER = 100
"""Jobs that are withdrawn in one go, before others get their turn."""

CLOSING = 10.0
"""Seconds that the end of the server waits for the disk; twice what one transaction waits for other programs."""

log = logging.getLogger(__name__)


class Jobs:
    """All jobs of a server. One process at a time may have them open; every method is called on the event loop.

    Where the disk does not take a change, it has not happened: NotStored is raised and the change may be tried again.
    """

    def __init__(
        self, file: Path, retention: Retention, *, max_attempts: int = 5, clock: Callable[[], float] = time.time
    ) -> None:
        """clock: the time in seconds since 1970."""
        self._file, self._retention, self._max_attempts, self._clock = file, retention, max_attempts, clock
        self._lock = Lock(file)
        self._readers = Readers(file)
        self._queue = Queue()
        self._numbering = Numbering()
        self._arriving: dict[str, tuple[Known, Write]] = {}
        self._last_event = 0
        self._is_open = False

    def open(self) -> None:
        """Opens or makes the file, brings its schema up to date, and puts what was running back into the queue.

        Raises: PathError, when the file cannot be written, is no such file, is newer than this program, or is open
        in another process.
        """
        with schema.refused(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
        self._lock.take()
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock.release)
            self._connection = schema.open_to_write(self._file)
            undo.callback(self._connection.close)
            with schema.refused(self._file), schema.transaction(self._connection):
                self._resume()
            undo.pop_all()
        self._writer = Writer(self._connection, self._file)
        self._writer.start()
        self._is_open = True

    async def close(self) -> None:
        """Waits for what is being written and closes the file; does not wait long for a disk that does not answer."""
        if self._is_open:
            await asyncio.to_thread(self._close)

    @property
    def remaining(self) -> int:
        """How many jobs wait or run."""
        return len(self._queue)

    @property
    def last_event(self) -> int:
        """The highest number of an event there is."""
        return self._last_event

    def waiting(self) -> list[Brief]:
        """Those that wait, the next to run first."""
        return self._queue.briefs(State.WAITING)

    def running(self) -> list[Brief]:
        """Those that run."""
        return self._queue.briefs(State.RUNNING)

    def next(self) -> Brief | None:
        """The job to run next."""
        return self._queue.next()

    # --- what becomes of jobs ---

    async def submit(self, new: NewJob) -> tuple[Brief, bool]:
        """Accepts a job; it is on the disk when this returns. Returns: the job, and whether it is new.

        Raises: JobConflict, when the id is taken by another request.
        """
        request = await asyncio.to_thread(rows.large_request, new) if rows.is_large(new) else rows.request(new)
        entry = self._queue.find(new.id)
        if entry is not None:
            return _same(new, (entry.brief, entry.digest)), False
        if new.id in self._arriving:
            known, write = self._arriving[new.id]
            _same(new, known)
            await write.wait()
            return _same(new, write.taken or known), False
        known, write = self._accept(new, request)
        await self._put(write)
        return (known[0], True) if write.taken is None else (_same(new, write.taken), False)

    async def start(self, job: str, worker: str) -> Job:
        """A waiting job now runs, one attempt more.

        Raises: JobGone, also for one that is no longer readable on the disk; that has failed then, with cause
        "unreadable".
        """
        entry = self._resting(job)
        if entry.brief.state is not State.WAITING:
            raise JobGone(f"job {job}: expected one that waits, got one that is {entry.brief.state}")
        brief = replace(entry.brief, state=State.RUNNING, attempts=entry.brief.attempts + 1)
        row = (self._now(), worker, brief.attempts, self._numbering.event + 1, brief.sequence)
        # Read in the same transaction: a job that could not be handed out does not run.
        write = Write(run=partial(_started, row=row, job=job))
        try:
            started: Job = await self._move(entry, brief, write)
        except Unreadable as error:
            end = unreadable(job, str(error), self._now())
            await self.finish(job, State.FAILED, end.events, error=end.error, cause=UNREADABLE, messages=end.messages)
            raise JobGone(f"job {job}: has failed, because it cannot be read from {self._file} ({error})") from error
        return started

    def record(self, job: str, items: Sequence[Item], shown: Sequence[Output] = ()) -> Awaitable[Sequence[Sent]]:
        """Numbers and stores what happened, and what nodes showed.

        Answers when it is on the disk, in the order of the calls. Frames come back where they stood among the events.
        What comes after the end of a job is dropped: nothing comes back.
        """
        entry = self._queue.find(job)
        if entry is None or entry.is_moving:
            return self._put(Write(result=()))
        # What nobody started has no first event yet; it is found by that.
        first = (self._numbering.event + 1, entry.brief.sequence)
        changes = [] if entry.brief.attempts else [(writes.FIRST, first)]
        sent, events = self._number(entry.brief, items)
        outputs = [rows.output(entry.brief.sequence, each) for each in shown]
        return self._put(Write(events=events, outputs=outputs, changes=changes, result=sent, settle=self._note))

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
        """Ends a job: state, error, history and last events are on the disk together when this returns.

        Raises: JobGone, when it has ended already.
        """
        entry = self._resting(job)
        write = self._ending(entry.brief, state, items, error=error, cause=cause, messages=messages, spans=spans)
        sent: Sequence[Sent] = await self._move(entry, None, write)
        return sent

    async def requeue(self, job: str, *, excused: bool = False) -> State:
        """A running job that was interrupted waits again; the interruption that makes it max_attempts of them ends it
        instead, with cause "interrupted". excused: it was stopped on purpose, and that counts for nothing.

        Returns: what became of it. Raises: JobGone.
        """
        brief = self._resting(job).brief
        if brief.state is State.WAITING:
            return brief.state
        brief = replace(brief, state=State.WAITING, interruptions=brief.interruptions + (0 if excused else 1))
        if not excused and brief.interruptions >= self._max_attempts:
            end = await self._readers.ask(lambda connection: interruption(connection, brief, self._now()))
            await self._move(self._resting(job), None, self._interrupting(brief, end))
            return State.FAILED
        write = Write(changes=[(writes.WAIT, (brief.interruptions, brief.sequence))])
        await self._move(self._resting(job), brief, write)
        return State.WAITING

    async def move(self, job: str, before: str | None) -> Brief:
        """A waiting job will run before another waiting one, or (None) after all that wait now.

        Raises: JobGone, when one of both does not wait.
        """
        entry = self._waiting(job)
        if before == job:
            return entry.brief
        others = [each.brief for each in self._queue.ready() if each is not entry]
        place = len(others) if before is None else others.index(self._waiting(before).brief)
        numbers = renumbered(entry.brief, others, place, self._numbering)
        await self._renumber([(self._waiting(each), number) for each, number in numbers.items()])
        return entry.brief

    async def withdraw(self, jobs: Sequence[str] | None, *, listed: bool = False) -> list[str]:
        """Cancels waiting jobs (None: all of them). Returns: those it cancelled. listed: show them in /history.

        Their stored events end with execution_interrupted and executing (node null), for those who follow them.
        """
        found = self._queue.ready() if jobs is None else [self._queue.find(job) for job in dict.fromkeys(jobs)]
        entries = [entry for entry in found if entry is not None]
        cancelled: list[str] = []
        for first in range(0, len(entries), TOGETHER):
            # One that another has started or withdrawn in the meantime is not ready any more.
            ready = [entry for entry in entries[first : first + TOGETHER] if entry.is_ready]
            await asyncio.gather(*[self._withdraw(entry, listed) for entry in ready])
            cancelled += [entry.brief.id for entry in ready]
        return cancelled

    # --- what is known ---

    async def get(self, job: str) -> Job | None:
        """All that is known of a job."""
        return await self._readers.ask(lambda connection: queries.one(connection, job))

    async def state(self, job: str) -> State | None:
        """Where a job stands; of one that waits or runs memory knows it. None: there is no such job."""
        entry = self._queue.find(job)
        if entry is not None:
            return entry.brief.state
        return await self._readers.ask(lambda connection: queries.state(connection, job))

    async def many(self, jobs: Sequence[str], *, whole: bool = True) -> list[Job]:
        """The same for several, in their order; those that are not there are left out.

        whole: False leaves prompt and extra_data empty, here and below; they are most of the work of reading a job.
        """
        return await self._readers.ask(lambda connection: queries.many(connection, jobs, whole=whole))

    async def history(
        self, max_items: int | None = None, offset: int | None = None, *, whole: bool = True
    ) -> list[Job]:
        """Ended jobs, the oldest first; max_items alone means the newest so many."""
        return await self._readers.ask(lambda connection: queries.history(connection, max_items, offset, whole=whole))

    async def page(self, query: Query, *, whole: bool = True) -> tuple[list[Job], int]:
        """A page of jobs, and how many there are in all."""
        return await self._readers.ask(lambda connection: queries.page(connection, query, whole=whole))

    async def shown(self, job: str) -> list[Output]:
        """What the nodes of a job have shown so far."""
        return await self._readers.ask(lambda connection: queries.shown(connection, job))

    async def events(
        self,
        after: int,
        *,
        job: str | None = None,
        client: str | None = None,
        limit: int = 1000,
        characters: int | None = None,
    ) -> list[StoredEvent]:
        """Stored events with a higher number, of a job or of a client's jobs, in order.

        At most `limit`, and no more than make up so many characters; one at least, where there is one.
        """
        return await self._readers.ask(
            lambda connection: queries.events(connection, after, job, client, limit, characters)
        )

    async def last_of(self, job: str, type: str) -> str | None:
        """The data, as JSON, of the latest event of a type about a job."""
        return await self._readers.ask(lambda connection: queries.last_of(connection, job, type))

    async def last_number(self, job: str) -> int:
        """The number of the latest event about a job; 0 where there is none."""
        return await self._readers.ask(lambda connection: queries.last_number(connection, job))

    # --- what goes ---

    async def forget(self, jobs: Sequence[str] | None) -> list[str]:
        """Removes ended jobs (None: all of them). Returns: those it removed."""
        unwanted = await self._readers.ask(retention.ended) if jobs is None else jobs
        removed: list[str] = []
        for first in range(0, len(unwanted), retention.STEP):
            removed += await self._remove(unwanted[first : first + retention.STEP])
        return removed

    async def prune(self) -> list[Job]:
        """Removes ended jobs beyond the retention. Returns: them (without prompt and extra_data), so that their
        temporary files can go too. Also removes the progress of jobs that ended a while ago; see retention.py."""
        now = self._now()
        unwanted = await self._readers.ask(lambda connection: retention.beyond(connection, self._retention, now))
        removed: list[Job] = []
        for first in range(0, len(unwanted), retention.STEP):
            known = await self.many(unwanted[first : first + retention.STEP], whole=False)
            gone = set(await self._remove([job.id for job in known]))
            removed += [job for job in known if job.id in gone]
        while await self._put(Write(run=lambda connection: retention.thin(connection, now))):
            pass
        while await self._put(Write(run=retention.shrink)):
            pass
        return removed

    async def _remove(self, jobs: Sequence[str]) -> list[str]:
        removed: list[str] = await self._put(Write(run=lambda connection: retention.remove(connection, jobs)))
        return removed

    # --- how ---

    def _resume(self) -> None:
        """Reads what memory has to know; what ran when the last process ended waits again, or has failed."""
        self._numbering.sequence = queries.last_sequence(self._connection)
        self._numbering.event = queries.last_event(self._connection)
        self._numbering.end = queries.last_end(self._connection)
        for brief, digest in queries.active(self._connection):
            if brief.state is State.RUNNING:
                brief = replace(brief, state=State.WAITING, interruptions=brief.interruptions + 1)
                if brief.interruptions >= self._max_attempts:
                    end = interruption(self._connection, brief, self._now())
                    writes.store(self._connection, [self._interrupting(brief, end)])
                    continue
                self._connection.execute(writes.WAIT, (brief.interruptions, brief.sequence))
            self._queue.add(brief, digest)
        self._numbering.go_on_from(brief.number for brief in self._queue)
        self._last_event = self._numbering.event

    def _close(self) -> None:
        until = time.monotonic() + CLOSING
        has_ended = self._writer.stop(CLOSING)
        self._readers.close(max(0.0, until - time.monotonic()))
        if not has_ended:  # the end of the process takes the thread along, and the lock with it
            log.error("%s: is still being written to after %g seconds; left to itself", self._file, CLOSING)
            return
        self._connection.close()
        self._lock.release()

    def _accept(self, new: NewJob, request: rows.Row) -> tuple[Known, Write]:
        brief = Brief(
            id=new.id,
            sequence=self._numbering.next_sequence(),
            number=self._numbering.place(new),
            state=State.WAITING,
            created=new.created,
            client_id=None if new.client_id is None else rows.storable(new.client_id),
            models=new.models,
        )
        known = (brief, new.digest)
        write = Write(job=rows.accepted(new, brief), request=request, settle=partial(self._arrived, known))
        self._arriving[new.id] = known, write
        return known, write

    def _arrived(self, known: Known, write: Write) -> None:
        del self._arriving[known[0].id]
        if write.error is None and write.taken is None:
            self._queue.add(*known)

    def _resting(self, job: str) -> Entry:
        """The entry of a job whose state nobody is changing. Raises: JobGone."""
        entry = self._queue.find(job)
        if entry is None or entry.is_moving:
            raise JobGone(f"job {job}: expected one that waits or runs, got one that has ended or is about to change")
        return entry

    def _waiting(self, job: str) -> Entry:
        """The entry of a job that could be started now. Raises: JobGone."""
        entry = self._queue.find(job)
        if entry is None or not entry.is_ready:
            raise JobGone(f"job {job} does not wait any more: it runs, has ended or is about to begin")
        return entry

    def _renumber(self, changes: Sequence[tuple[Entry, float]]) -> asyncio.Future[Any]:
        """Gives waiting jobs other numbers, all or none. Nobody else may change them meanwhile."""
        moved = [(entry, replace(entry.brief, number=number)) for entry, number in changes]
        for entry, _ in moved:
            entry.is_moving = True
        write = Write(changes=[(writes.NUMBER, (brief.number, brief.sequence)) for _, brief in moved])
        write.settle = partial(self._renumbered, moved)
        return self._put(write)

    def _renumbered(self, moved: Sequence[tuple[Entry, Brief]], write: Write) -> None:
        for entry, brief in moved:
            self._queue.settle(entry, entry.brief if write.error is not None else brief)

    def _move(self, entry: Entry, brief: Brief | None, write: Write) -> asyncio.Future[Any]:
        """Writes a change of state; from now on nobody else may change it. brief: what it becomes; None: it ends."""
        entry.is_moving = True
        write.settle = partial(self._moved, entry, brief)
        return self._put(write)

    def _moved(self, entry: Entry, brief: Brief | None, write: Write) -> None:
        self._note(write)
        if write.error is not None:
            self._queue.settle(entry, entry.brief)
        elif brief is None:
            self._queue.remove(entry)
        else:
            self._queue.settle(entry, brief)

    def _withdraw(self, entry: Entry, listed: bool) -> asyncio.Future[Any]:
        job = entry.brief.id
        interrupted = withdrawal(job, self._now())
        messages = [(interrupted.type, interrupted.data)]
        items = [interrupted, end_mark(job)]
        write = self._ending(entry.brief, State.CANCELLED, items, messages=messages, is_listed=listed)
        return self._move(entry, None, write)

    def _ending(
        self,
        brief: Brief,
        state: State,
        items: Sequence[Item],
        *,
        error: Mapping[str, Any] | None = None,
        cause: str | None = None,
        messages: Sequence[tuple[str, Mapping[str, Any]]] = (),
        spans: Sequence[Span] = (),
        is_listed: bool = True,
    ) -> Write:
        assert state.is_end, state
        before = self._numbering.event
        sent, events = self._number(brief, items)
        numbers = (before + 1, self._numbering.event)
        end = (state.value, self._now(), self._numbering.next_end(), cause, is_listed, *numbers, brief.sequence)
        ending = rows.ending(brief.sequence, error, messages, spans)
        forgotten = (writes.FORGET_SECRET, (brief.sequence,))
        return Write(events=events, changes=[(writes.END, end), (writes.ENDING, ending), forgotten], result=sent)

    def _interrupting(self, brief: Brief, end: Interruption) -> Write:
        write = self._ending(brief, State.FAILED, end.events, error=end.error, cause=CAUSE, messages=end.messages)
        write.changes = [*write.changes, (writes.INTERRUPT, (brief.interruptions, brief.sequence))]
        return write

    def _number(self, brief: Brief, items: Sequence[Item]) -> tuple[list[Sent], list[rows.Row]]:
        """What happened with its numbers, and the rows of it."""
        now = self._now()
        sent: list[Sent] = []
        events: list[rows.Row] = []
        for item in items:
            if not isinstance(item, NewEvent):
                sent.append(item)
                continue
            event = rows.event(brief, self._numbering.next_event(), item, now)
            sent.append(event)
            events.append((brief.sequence, event.number, event.type, event.text, now))
        return sent, events

    def _note(self, write: Write) -> None:
        if write.error is None and write.events:
            self._last_event = write.events[-1][1]

    def _put(self, write: Write) -> asyncio.Future[Any]:
        future = write.wait()
        self._writer.put(write)
        return future

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _same(new: NewJob, known: Known) -> Brief:
    """The job that is there already, where it came from the same request. Raises: JobConflict."""
    brief, digest = known
    if digest != new.digest:
        raise JobConflict(f"prompt id {new.id}: another prompt has it already; send this one with another id")
    return brief


def _started(connection: Any, row: rows.Row, job: str) -> Job:
    connection.execute(writes.START, row)
    found = queries.to_run(connection, job)
    secret = connection.execute("SELECT data FROM secret WHERE job = ?", (found.sequence,)).fetchone()
    return found if secret is None else rows.with_secrets(found, secret[0])
