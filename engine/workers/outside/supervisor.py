"""One worker by name: a process, and after its death the next one, at once or after a pause."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence

from engine.workers.outside.cgroup import OomKills
from engine.workers.outside.child import Child
from engine.workers.outside.contract import End, Limits, Listener, Task, WorkerState
from engine.workers.outside.death import died
from engine.workers.outside.life import Life

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds between the death of a worker that was of no use and the next try; they double until one is ready."""

SETTLED = 5.0
"""Seconds after which a worker that is ready, though it had no job, is no failed start."""

log = logging.getLogger(__name__)


class Supervisor:
    """Keeps one worker alive from `start` to `stop`."""

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        environment: Callable[[], Mapping[str, str]],
        listener: Listener,
        limits: Limits,
        kills: OomKills,
    ) -> None:
        self.name = name
        self.life: Life | None = None
        self._command = command
        self._environment = environment
        self._listener = listener
        self._limits = limits
        self._kills = kills
        self._keeping: asyncio.Task[None] | None = None
        self._losing: set[asyncio.Task[None]] = set()
        self._is_stopping = asyncio.Event()
        self._is_pausing = False
        self._failures = 0
        self._births = 0
        self._message = ""

    def start(self) -> None:
        """Starts the worker in the background."""
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self, *, at_once: bool = False) -> None:
        """Ends the worker, and returns when it is gone. A second call may be less patient than the first."""
        self._is_stopping.set()
        if self.life is not None:
            self.life.end(at_once=at_once)
        tasks = [*self._losing, *([self._keeping] if self._keeping else [])]
        if tasks:
            await asyncio.wait(tasks)

    def run(self, task: Task) -> None:
        """Gives the worker a task; when it is no longer there, the task's end says so."""
        if self.is_idle and self.life is not None:
            self.life.run(task)
            return
        end = died("killed", f"{self.name} ended before it could begin the job.")
        losing = asyncio.create_task(self._lose(task.job, end))
        self._losing.add(losing)
        losing.add_done_callback(self._losing.discard)

    @property
    def is_idle(self) -> bool:
        """Whether it can be given a task."""
        return self.life is not None and self.life.phase == "idle"

    @property
    def state(self) -> WorkerState:
        """How it is now."""
        life, restarts = self.life, max(self._births - 1, 0)
        if life is None:
            state = "stopping" if self._is_stopping.is_set() else "broken" if self._is_pausing else "starting"
            return WorkerState(self.name, state, restarts=restarts, message=self._message)
        return WorkerState(
            name=self.name,
            state=life.phase if life.phase in ("starting", "idle", "busy", "reloading") else "stopping",
            pid=life.child.pid,
            job=life.task.job if life.task else None,
            memory=life.watch.memory,
            restarts=restarts,
            devices=life.devices,
            system=life.system,
            message=self._message if life.phase == "starting" else "",
        )

    async def _keep(self) -> None:
        while not self._is_stopping.is_set():
            try:
                failure = await self._live()
            except Exception as error:  # a mistake of ours in one life must not be the last of all
                log.exception("%s could not be looked after", self.name, extra={"worker": self.name})
                failure = str(error) or type(error).__name__
            finally:
                self.life = None
            if failure is None:
                self._failures, self._message = 0, ""
            else:
                self._failures, self._message = self._failures + 1, failure
                await self._pause()

    async def _live(self) -> str | None:
        """One process from its start to its end. Returns: why it was of no use; None when it was."""
        self._births += 1
        try:
            # In a thread: finding out which GPUs there are may ask another program.
            environment = await asyncio.to_thread(self._environment)
            child = await Child.spawn(self._command(), environment)
        except OSError as error:
            log.error("%s cannot be started: %s", self.name, error, extra={"worker": self.name})
            return f"The worker cannot be started: {error}."
        self.life = life = Life(self.name, child, self._listener, self._limits, self._kills)
        if self._is_stopping.is_set():
            life.end(at_once=True)
        born = asyncio.get_running_loop().time()
        end = await life.live()
        lasted = asyncio.get_running_loop().time() - born
        if life.was_ready:
            self._failures = 0
        if life.is_spared or life.was_useful or (life.was_ready and lasted > SETTLED):
            return None
        return life.broken or end.message

    async def _pause(self) -> None:
        seconds = min(FIRST_PAUSE * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE)
        if self._is_stopping.is_set():
            return
        log.info("%s is started again in %g s", self.name, seconds, extra={"worker": self.name})
        self._is_pausing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_stopping.wait()
        self._is_pausing = False

    async def _lose(self, job: str, end: End) -> None:
        try:
            await self._listener.ended(self.name, job, end)
        except Exception:  # the listener's mistake; nobody awaits this task
            log.exception("the end of a job could not be taken in", extra={"worker": self.name, "job": job})
