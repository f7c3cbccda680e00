"""Between the jobs and the workers: hands out what waits, and decides what becomes of a job when its worker is done.

It is the pool's listener. What happens to a job on the way is its chronicle's affair.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import LatentwireError
from engine.graph.events import Cached, Finished, Interrupted, Started
from engine.workers.messages import BadFrame, unpack
from engine.workers.outside.pool import End, Listener, Pool, Task
from server.chronicle import PATIENCE, Chronicle, Torn
from server.events.hub import Hub
from server.jobs.job import Brief, Item, Job, State
from server.jobs.store import JobGone, Jobs
from server.node_types import NodeTypes
from server.plugins.catalogue import Catalogue
from server.plugins.desk import PluginDesk
from server.watching.metrics import Tally

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Active:
    """A job that is with a worker, or on its way there, until its end is written.

    is_given: the worker has it already. is_ending: it is done with it.
    """

    job: Job
    worker: str
    chronicle: Chronicle
    is_cancelled: bool = False
    is_given: bool = False
    is_ending: bool = False

    @property
    def node(self) -> tuple[str | None, str]:
        """The node that runs now, and its class."""
        current = self.chronicle.story.current
        if current is None:
            return None, ""
        return current[0], str(self.job.prompt.get(current[0], {}).get("class_type", ""))

    @property
    def where(self) -> dict[str, Any]:
        """What log lines about it carry."""
        node, class_type = self.node
        return {"job": self.job.id, "worker": self.worker, "node": node, "class_type": class_type}


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
        plugins: PluginDesk | None = None,
        max_attempts: int = 5,
    ) -> None:
        self.pool = make_pool(self)
        self.plugin_desk = plugins or PluginDesk(jobs, hub, node_types, Catalogue(are_any=lambda: False), Path())
        self.plugin_desk.connect(self.pool, self)
        self._jobs, self._hub, self._node_types, self._tally = jobs, hub, node_types, tally
        self._max_attempts = max_attempts
        self._active: dict[str, _Active] = {}
        self._starting: set[str] = set()
        self._unwanted: set[str] = set()
        # What is being moved could be neither moved nor withdrawn, and whoever asked for that would be told no.
        self._reordering = asyncio.Lock()
        self._ready = asyncio.Event()
        self._handing_out: asyncio.Task[None] | None = None
        self._is_stopping = False

    async def start(self) -> None:
        """Starts the workers and begins to hand out jobs."""
        self._handing_out = asyncio.create_task(self._hand_out_for_ever())
        await self.pool.start()
        self.wake()

    async def stop(self) -> None:
        """Stops the workers; what they ran waits for the next start of the server."""
        self._is_stopping = True
        await self.pool.stop()
        if self._handing_out is not None:
            self._handing_out.cancel()
            await asyncio.gather(self._handing_out, return_exceptions=True)

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
        async with self._reordering:
            taken = await self._jobs.withdraw(jobs)
        for job in taken:
            self._tally.job_ended(State.CANCELLED, None, None, None)
            # ComfyUI: its client is told nothing but the number; an end mark would seem to be that of what runs.
            if self._hub.is_followed(job):
                self._hub.publish(job, None, await self._jobs.events(0, job=job))
        if taken:
            self._hub.status(self._jobs.remaining)
        return taken

    async def move(self, job: str, before: str | None) -> Brief:
        """A waiting job runs before another, or (None) after all that wait. Raises: JobGone."""
        async with self._reordering:
            moved = await self._jobs.move(job, before)
        self._hub.status(self._jobs.remaining)
        self.wake()  # it may have been looked for while it was moved
        return moved

    def running(self, client_id: str) -> str | None:
        """The node on the screen that runs now for a client; None when nothing of theirs runs."""
        for active in self._active.values():
            current = active.chronicle.story.current
            if active.job.client_id == client_id and current is not None:
                return current[1]
        return None

    def worker_of(self, client_id: str | None) -> str | None:
        """The worker that runs a job of this client."""
        found = (each.worker for each in self._active.values() if each.job.client_id == client_id)
        return next(found, None) if client_id else None

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
            log.warning("%s said something about a job that is no event: %s", worker, error, extra=active.where)
            return
        await active.chronicle.tell(told, time.time())

    async def ended(self, worker: str, job: str, end: End) -> None:
        """A worker is done with a job, or died over it."""
        active = self._active.get(job)
        if active is None or active.is_ending:
            return
        active.is_ending = True
        try:
            await self._conclude(active, end)
        finally:
            del self._active[job]
            self.wake()

    def free(self) -> None:
        """A worker may have become free."""
        self.wake()

    async def plugins(self, worker: str, message: Mapping[str, Any]) -> None:
        """A worker has imported its plugins."""
        self.plugin_desk.reported(worker, message)

    def tell(self, worker: str, message: Mapping[str, Any], data: bytes) -> None:
        """A plugin has something for clients; it is said in its place among what happens to the job there."""
        for active in self._active.values():
            if active.worker == worker and active.is_given and not active.is_ending:
                active.chronicle.aside(lambda: self.plugin_desk.tell(message, data))
                return
        self.plugin_desk.tell(message, data)

    async def want(self, worker: str, what: str, data: Any) -> Any:
        """A plugin asks something. Raises: LatentwireError."""
        return await self.plugin_desk.want(what, data)

    def lost(self, worker: str, why: str) -> bool:
        """A worker ended over an import."""
        return self.plugin_desk.lost(worker, why)

    def gone(self, worker: str) -> None:
        """A worker's process has ended."""
        self.plugin_desk.gone(worker)

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
            # The end of a worker's last job is told before its next one begins.
            if worker is None or any(each.worker == worker for each in self._active.values()):
                return
            self._starting.add(brief.id)
            try:
                await self._start(brief.id, worker)
            finally:
                self._starting.discard(brief.id)
                if brief.id in self._unwanted:  # it could not be started, and somebody was told that it never will be
                    await self.withdraw([brief.id])
                    self._unwanted.discard(brief.id)

    async def _start(self, job_id: str, worker: str) -> None:
        try:
            job = await self._jobs.start(job_id, worker)
        except JobGone:  # withdrawn at this moment, or unreadable
            await self._tell_of(job_id)
            return
        chronicle = Chronicle(job, self._jobs, self._hub, may_give_up=lambda: self._is_stopping)
        active = _Active(job, worker, chronicle)
        try:
            done = {each.node for each in await self._jobs.shown(job.id)} if job.attempts > 1 else set()
            self._active[job.id] = active
            await self._give(active, [each for each in job.outputs if each not in done])
        except Exception:
            self._active.pop(job_id, None)
            if active.is_cancelled:
                self._unwanted.add(job_id)
            await self._requeue(job_id)
            raise

    async def _tell_of(self, job_id: str) -> None:
        """A job that ended without having been begun: its row is damaged."""
        job = await self._jobs.get(job_id)
        if job is not None and job.state is State.FAILED:
            self._tally.job_ended(job.state, job.cause, None, None)
            self._hub.publish(job_id, job.client_id, await self._jobs.events(0, job=job_id))
        self._hub.status(self._jobs.remaining)

    async def _give(self, active: _Active, targets: Sequence[str]) -> None:
        job = active.job
        self._hub.status(self._jobs.remaining)
        if job.id in self._unwanted:
            self._unwanted.discard(job.id)
            await self.ended(active.worker, job.id, End("died", "cancelled"))
        elif not targets:  # everything was made before the interruption; only the end was not written
            for event in (Started(), Cached(tuple(job.prompt)), Finished("succeeded")):
                await active.chronicle.tell(event, time.time())
            await self.ended(active.worker, job.id, End("succeeded"))
        else:
            active.is_given = True
            await self.pool.run(active.worker, _task(job, targets))
            if active.is_cancelled:
                self.pool.cancel(job.id)

    def _stop_running(self, job: str) -> bool:
        active = self._active.get(job)
        if active is not None:
            if active.is_ending:
                return False
            active.is_cancelled = True
            if active.is_given:
                self.pool.cancel(job)
            return True
        if job in self._starting:
            self._unwanted.add(job)
            return True
        return False

    # --- ends ---

    async def _conclude(self, active: _Active, end: End) -> None:
        now = time.time()
        story = active.chronicle.story
        if end.status != "died":
            cause = {"failed": "node_error", "cancelled": "cancelled"}.get(end.status)
            await self._finish(active, State(end.status), story.end(now), cause)
        elif end.cause == "cancelled" or active.is_cancelled:
            interrupted, _ = story.tell(Interrupted(*active.node), now)
            await self._finish(active, State.CANCELLED, [*interrupted, *story.end(now)], "cancelled")
        elif self._is_stopping and end.cause == "stopped":
            await active.chronicle.settle()
            if not active.chronicle.is_torn:
                await self._requeue(active.job.id, excused=True)
        elif end.is_nodes_fault or active.job.interruptions + 1 >= self._max_attempts:
            await self._give_up(active, end, now)
        else:
            log.warning("job %s is tried again: %s", active.job.id, end.summary, extra=active.where)
            await active.chronicle.settle()
            await self._requeue(active.job.id)
            self._hub.status(self._jobs.remaining)

    async def _give_up(self, active: _Active, end: End, now: float) -> None:
        cause, message = end.cause, end.message
        if not end.is_nodes_fault:
            cause = "interrupted"
            message = f"{end.summary} This was interruption {self._max_attempts} of this job; it is not tried again."
        story = active.chronicle.story
        await self._finish(active, State.FAILED, [*story.crash(cause, message, now), *story.end(now)], cause)

    async def _finish(self, active: _Active, state: State, items: Sequence[Item], cause: str | None) -> None:
        error = active.chronicle.story.error
        where = {
            **active.where,
            **({"node": error.get("node_id"), "class_type": error.get("node_type")} if error else {}),
        }
        try:
            await active.chronicle.finish(state, items, cause)
        except Torn:
            text = "job %s is run again by the next start: the disk did not take what happened to it"
            log.error(text, active.job.id, extra=where)
            return
        self._count(active, state, cause)
        level = logging.INFO if state is State.SUCCEEDED else logging.WARNING
        # A death has been told by who looked after the worker; what a node raised is told here.
        said = (
            str(error.get("exception_message", "")).strip().partition("\n")[0]
            if error and cause == "node_error"
            else ""
        )
        reason = f" ({cause})" if cause else ""
        log.log(level, "job %s %s%s%s", active.job.id, state, reason, f": {said}" if said else "", extra=where)

    async def _requeue(self, job: str, *, excused: bool = False) -> None:
        while True:
            try:
                with contextlib.suppress(JobGone):
                    await self._jobs.requeue(job, excused=excused)
                return
            except LatentwireError as error:
                log.error("job %s cannot be put back into the queue: %s", job, error, extra={"job": job})
                if self._is_stopping:  # the next start finds it running, and does the same
                    return
                await asyncio.sleep(PATIENCE)

    def _count(self, active: _Active, state: State, cause: str | None) -> None:
        job = active.job
        started = (job.started or job.created) / 1000
        self._tally.job_ended(state, cause, started - job.created / 1000, time.time() - started)
        for span in active.chronicle.story.spans:
            self._tally.node_ran(span.class_type, span.seconds)


def _task(job: Job, targets: Sequence[str]) -> Task:
    return Task(
        job=job.id,
        prompt=job.prompt,
        targets=targets,
        extra=job.extra_data.get("extra_pnginfo") or {},
        unvalidated=job.unvalidated,
        attempt=job.attempts,
        client_id=job.client_id,
        extra_data={**job.extra_data, **({"client_id": job.client_id} if job.client_id else {})},
        models=job.models,
    )
