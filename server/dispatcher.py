"""Between the jobs and the workers: hands out what waits, and turns what workers say into rows and messages.

It is the pool's listener. What workers say is numbered and written in the order it came; one task waits for the disk
and sends each piece on as soon as it is safe there, so nobody ever hears of something that a crash could undo.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import LatentwireError
from engine.graph.events import Cached, Finished, Interrupted, Started
from engine.workers.messages import BadFrame, unpack
from engine.workers.outside.pool import End, Listener, Pool, Task
from server.events.hub import Hub
from server.events.wire import Story
from server.jobs.job import Item, Job, Sent, State
from server.jobs.store import JobGone, Jobs
from server.node_types import NodeTypes
from server.watching.metrics import Tally

AHEAD = 2000  # pieces of news that may wait for the disk before workers are no longer listened to
TURN = 0.002  # seconds of sending in a row, before others get their turn
PATIENCE = 1.0  # seconds between two tries to write the end of a job to a disk that refuses

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Active:
    """A job that is with a worker, or on its way there."""

    job: Job
    worker: str
    story: Story
    is_cancelled: bool = False
    is_given: bool = False
    """Whether the worker has it already."""


@dataclass(frozen=True, slots=True)
class _News:
    """Something on its way to the disk, and what to do when it is there."""

    written: Awaitable[Sequence[Sent]]
    send: Callable[[Sequence[Sent]], None] = field(repr=False)


class Dispatcher(Listener):
    """The only one who moves jobs from state to state while they run."""

    def __init__(
        self,
        jobs: Jobs,
        hub: Hub,
        make_pool: Callable[[Listener], Pool],
        *,
        node_types: NodeTypes,
        tally: Tally,
        max_attempts: int = 5,
    ) -> None:
        self.pool = make_pool(self)
        self._jobs, self._hub, self._node_types, self._tally = jobs, hub, node_types, tally
        self._max_attempts = max_attempts
        self._active: dict[str, _Active] = {}
        self._starting: set[str] = set()
        self._unwanted: set[str] = set()
        self._ready = asyncio.Event()
        self._news: asyncio.Queue[_News] = asyncio.Queue(AHEAD)
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    async def start(self) -> None:
        """Starts the workers and begins to hand out jobs."""
        self._tasks = [asyncio.create_task(self._hand_out_for_ever()), asyncio.create_task(self._send_for_ever())]
        await self.pool.start()
        self.wake()

    async def stop(self, *, at_once: bool = False) -> None:
        """Stops the workers; what they ran waits for the next start of the server."""
        self._is_stopping = True
        await self.pool.stop(at_once=at_once)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._news.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self) -> None:
        """Something may be ready to run; call it after a submission."""
        self._ready.set()

    def interrupt(self, job: str | None = None) -> bool:
        """Asks what runs to stop (only that job, when one is named). Returns: whether anything was asked."""
        ids = [*self._active, *self._starting] if job is None else [job]
        asked = [self._stop_running(each) for each in ids]
        return any(asked)

    async def cancel(self, jobs: Sequence[str]) -> list[str]:
        """Cancels jobs that wait or run. Returns: those it could still cancel."""
        running = [each for each in jobs if self._stop_running(each)]
        waiting = await self.withdraw([each for each in jobs if each not in running])
        # One may have left the queue in between.
        late = [each for each in jobs if each not in running and each not in waiting and self._stop_running(each)]
        return [*running, *waiting, *late]

    async def withdraw(self, jobs: Sequence[str] | None) -> list[str]:
        """Takes waiting jobs out of the queue (None: all). Returns: those it took."""
        taken = await self._jobs.withdraw(jobs)
        for job in taken:
            self._tally.job_ended(State.CANCELLED, None, None, None)
            await self._show_the_end(job)
        if taken:
            self._hub.status(self._jobs.remaining)
        return taken

    def running(self, client_id: str) -> str | None:
        """The node on the screen that runs now for a client; None when nothing of theirs runs."""
        for active in self._active.values():
            if active.job.client_id == client_id and active.story.current is not None:
                return active.story.current[1]
        return None

    # --- what workers say (Listener) ---

    async def types(self, worker: str, message: Mapping[str, Any]) -> None:
        """A worker has imported its nodes."""
        types = message.get("types")
        if isinstance(types, Mapping):
            self._node_types.replace(types)
        log.info("%s is ready: %d node types", worker, len(types or ()), extra={"worker": worker})

    async def event(self, worker: str, job: str, event: Mapping[str, Any], data: bytes) -> None:
        """Something happened to a job."""
        active = self._active.get(job)
        if active is None:
            return
        try:
            told = unpack(event, data)
        except BadFrame as error:
            log.warning("%s said something about a job that is no event: %s", worker, error, extra={"worker": worker})
            return
        items, shown = active.story.tell(told, time.time())
        if items or shown:
            await self._write(active.job, self._jobs.record(job, items, shown))

    async def ended(self, worker: str, job: str, end: End) -> None:
        """A worker is done with a job, or died over it."""
        active = self._active.pop(job, None)
        if active is None:
            return
        now = time.time()
        if end.status != "died":
            await self._finish(active, State(end.status), active.story.end(now), _cause(end))
        elif end.cause == "cancelled" or active.is_cancelled:
            interrupted = self._tell(active, Interrupted(*_where(active)), now)
            await self._finish(active, State.CANCELLED, [*interrupted, *active.story.end(now)], "cancelled")
        elif self._is_stopping and end.cause == "stopped":
            return  # its row says that it runs, so it runs again at the next start
        elif end.is_nodes_fault or active.job.attempts >= self._max_attempts:
            await self._give_up(active, end, now)
        else:
            log.warning("job %s is tried again: %s", job, end.message, extra={"job": job, "worker": worker})
            await self._requeue(job)
            self._hub.status(self._jobs.remaining)
        self.wake()

    def free(self) -> None:
        """A worker may have become free."""
        self.wake()

    # --- handing out ---

    async def _hand_out_for_ever(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            try:
                await self._hand_out()
            except Exception as error:
                # The disk, most likely. Whatever it is, the job still waits, and so do those behind it.
                log.error("jobs cannot be started: %s", error, exc_info=not isinstance(error, LatentwireError))
                await asyncio.sleep(PATIENCE)
                self.wake()

    async def _hand_out(self) -> None:
        while not self._is_stopping and (brief := self._jobs.next()) is not None:
            worker = self.pool.choose(brief.models)
            if worker is None:
                return
            self._starting.add(brief.id)
            try:
                await self._start(brief.id, worker)
            finally:
                self._starting.discard(brief.id)
                self._unwanted.discard(brief.id)

    async def _start(self, job_id: str, worker: str) -> None:
        try:
            job = await self._jobs.start(job_id, worker)
        except JobGone:  # withdrawn at this moment
            return
        try:
            await self._give(job, worker)
        except Exception:
            self._active.pop(job_id, None)
            await self._requeue(job_id)
            raise

    async def _give(self, job: Job, worker: str) -> None:
        done = {each.node for each in await self._jobs.shown(job.id)} if job.attempts > 1 else set()
        targets = [each for each in job.outputs if each not in done]
        classes = {node: str(each.get("class_type", "")) for node, each in job.prompt.items()}
        active = self._active[job.id] = _Active(job, worker, Story(job.id, classes=classes))
        self._hub.status(self._jobs.remaining)
        if job.id in self._unwanted:
            await self.ended(worker, job.id, End("died", "cancelled"))
            return
        if not targets:  # everything was made before the interruption; only the end was not written
            await self._finish_what_is_done(active, job)
            return
        task = Task(
            job=job.id,
            prompt=job.prompt,
            targets=targets,
            extra=job.extra_data.get("extra_pnginfo") or {},
            unvalidated=job.unvalidated,
            attempt=job.attempts,
            client_id=job.client_id,
            models=job.models,
        )
        active.is_given = True
        await self.pool.run(worker, task)
        if active.is_cancelled:
            self.pool.cancel(job.id)

    async def _finish_what_is_done(self, active: _Active, job: Job) -> None:
        now = time.time()
        items = [
            item
            for event in (Started(), Cached(tuple(job.prompt)), Finished("succeeded"))
            for item in self._tell(active, event, now)
        ]
        del self._active[job.id]
        await self._finish(active, State.SUCCEEDED, [*items, *active.story.end(now)], None)
        self.wake()

    def _stop_running(self, job: str) -> bool:
        active = self._active.get(job)
        if active is not None:
            active.is_cancelled = True
            if active.is_given:
                self.pool.cancel(job)
            return True
        if job in self._starting:
            self._unwanted.add(job)
            return True
        return False

    # --- ends ---

    async def _give_up(self, active: _Active, end: End, now: float) -> None:
        cause, message = end.cause, end.message
        if not end.is_nodes_fault:
            cause = "interrupted"
            message = (
                f"{message} This was attempt {active.job.attempts} of {self._max_attempts}; it is not tried again."
            )
        log.error("job %s failed: %s", active.job.id, message, extra={"job": active.job.id, "worker": active.worker})
        items = active.story.crash(cause, message, now)
        await self._finish(active, State.FAILED, [*items, *active.story.end(now)], cause)

    async def _requeue(self, job: str) -> None:
        while True:
            try:
                with contextlib.suppress(JobGone):
                    await self._jobs.requeue(job)
                return
            except LatentwireError as error:
                log.error("job %s cannot be put back into the queue: %s", job, error, extra={"job": job})
                await asyncio.sleep(PATIENCE)

    async def _finish(self, active: _Active, state: State, items: Sequence[Item], cause: str | None) -> None:
        """Puts the end of a job on its way to the disk, behind all that happened to it before."""
        job, story = active.job, active.story
        written = asyncio.ensure_future(self._write_end(active, state, items, cause))

        def send(sent: Sequence[Sent]) -> None:
            # The history has it by now: only then does the number drop, and only then comes the end mark.
            self._hub.publish(job.id, job.client_id, sent[:-1])
            self._hub.status(self._jobs.remaining)
            self._hub.publish(job.id, job.client_id, sent[-1:])

        self._count(active, state, cause)
        await self._news.put(_News(written, send))
        level = logging.INFO if state is State.SUCCEEDED else logging.WARNING
        reason = f": {story.error.get('exception_message', '')}" if story.error else ""
        log.log(level, "job %s %s%s", job.id, state, reason, extra={"job": job.id, "worker": active.worker})

    async def _write_end(
        self, active: _Active, state: State, items: Sequence[Item], cause: str | None
    ) -> Sequence[Sent]:
        story = active.story
        while True:
            try:
                return await self._jobs.finish(
                    active.job.id,
                    state,
                    items,
                    error=story.error,
                    cause=cause,
                    messages=story.messages,
                    spans=story.spans,
                )
            except JobGone:
                return ()
            except LatentwireError as error:
                log.error("the end of job %s cannot be written: %s", active.job.id, error, extra={"job": active.job.id})
                await asyncio.sleep(PATIENCE)

    def _count(self, active: _Active, state: State, cause: str | None) -> None:
        job = active.job
        started = (job.started or job.created) / 1000
        self._tally.job_ended(state, cause, started - job.created / 1000, time.time() - started)
        for span in active.story.spans:
            self._tally.node_ran(span.class_type, span.seconds)

    async def _show_the_end(self, job: str) -> None:
        """Those who follow a job that never ran are told that it never will."""
        if self._hub.is_followed(job):
            self._hub.publish(job, None, await self._jobs.events(0, job=job))

    # --- what happened, on its way through the disk to those who listen ---

    def _tell(self, active: _Active, event: Any, now: float) -> list[Item]:
        items, _ = active.story.tell(event, now)
        return items

    async def _write(self, job: Job, written: Awaitable[Sequence[Sent]]) -> None:
        await self._news.put(_News(written, lambda sent: self._hub.publish(job.id, job.client_id, sent)))

    async def _send_for_ever(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            if clock() - began > TURN:  # what is on the disk already is waited for without a pause
                await asyncio.sleep(0)
                began = clock()
            news = await self._news.get()
            try:
                news.send(await news.written)
            except LatentwireError as error:
                log.error("what happened to a job could not be written: %s", error)
            except Exception:
                log.exception("what happened to a job could not be sent")
            finally:
                self._news.task_done()


def _cause(end: End) -> str | None:
    return {"failed": "node_error", "cancelled": "cancelled"}.get(end.status)


def _where(active: _Active) -> tuple[str | None, str]:
    current = active.story.current
    if current is None:
        return None, ""
    return current[0], str(active.job.prompt.get(current[0], {}).get("class_type", ""))
