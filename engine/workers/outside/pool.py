"""Several workers: started, kept alive, given tasks, told to stop.

What a pool is asked and tells stands in `contract.py`; how one worker is kept alive in `supervisor.py`, how its process
is spoken to in `life.py`, and when it is given up in `watch.py`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from engine.workers.outside.cgroup import OomKills
from engine.workers.outside.contract import End, Limits, Listener, Task, WorkerState
from engine.workers.outside.life import Life
from engine.workers.outside.supervisor import Supervisor

__all__ = ["End", "Limits", "Listener", "Pool", "Task", "WorkerState"]


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
        kills = OomKills()
        self._supervisors = {
            f"worker-{index}": Supervisor(
                f"worker-{index}",
                partial(command, index),
                partial(environment, index),
                listener,
                limits or Limits(),
                kills,
            )
            for index in range(count)
        }

    async def start(self) -> None:
        """Starts the workers and returns at once; they are kept alive until `stop`."""
        for each in self._supervisors.values():
            each.start()

    async def stop(self, *, at_once: bool = False) -> None:
        """Ends the workers: they may unwind what runs (not at_once), then they are killed.

        What was cut short ends with the cause "stopped". A second call with at_once ends the patience of the first.
        """
        await asyncio.gather(*(each.stop(at_once=at_once) for each in self._supervisors.values()))

    def choose(self, models: Sequence[str]) -> str | None:
        """The idle worker that most likely has these models loaded; None when none is idle.

        Among equals the one with the least loaded, so that nobody's models leave while another has room.
        """
        wanted = frozenset(models)

        def cost(worker: Supervisor) -> tuple[int, int]:
            loaded = worker.life.models if worker.life else frozenset()
            return -len(wanted & loaded), len(loaded)

        idle = [each for each in self._supervisors.values() if each.is_idle]
        return min(idle, key=cost).name if idle else None

    async def run(self, worker: str, task: Task) -> None:
        """Hands a task to an idle worker; the listener is told the rest."""
        self._supervisors[worker].run(task)

    def cancel(self, job: str) -> bool:
        """Asks the worker that runs the job to stop, and ends it when it does not listen. False: nobody runs it."""
        return any(each.life.cancel(job) for each in self._supervisors.values() if each.life)

    async def check(self, prompt: Mapping[str, Any], targets: Sequence[str] | None, within: float) -> Any:
        """Has a worker validate a prompt with its authors' functions. None, when no worker answered in time."""
        for phase in ("idle", "busy"):
            for life in self._lives:
                if life.phase == phase:
                    return await life.check(prompt, targets, within)
        return None

    async def ask(self, worker: str, about: str, data: Any, within: float) -> Any:
        """What a worker's plugins answer. None, when they do not in time."""
        life = self._supervisors[worker].life if worker in self._supervisors else None
        is_there = life is not None and life.phase in ("idle", "busy", "reloading")
        return await life.ask(about, data, within) if life is not None and is_there else None

    async def reload(self, name: str | None, within: float) -> list[Any]:
        """Has every worker import plugins again (None: those that changed) as soon as it runs nothing.

        Returns: what each worker said, None for those that had not done it in time.
        """
        alive = [each for each in self._lives if each.phase in ("idle", "busy", "reloading", "emptying")]
        return await asyncio.gather(*(each.reload(name, within) for each in alive))

    def tell_sockets(self, sockets: Mapping[str, Any], worker: str | None = None) -> None:
        """Says to the workers (or one of them) who is connected to the server."""
        for name, each in self._supervisors.items():
            if each.life is not None and worker in (None, name):
                each.life.tell_sockets(sockets)

    def release(self, *, unload_models: bool, free_memory: bool) -> None:
        """Asks every worker to free memory as soon as it runs nothing."""
        for each in self._supervisors.values():
            if each.life and each.life.phase in ("idle", "busy"):
                each.life.release(unload_models=unload_models, free_memory=free_memory)

    @property
    def _lives(self) -> list[Life]:
        return [each.life for each in self._supervisors.values() if each.life]

    def why_none_starts(self) -> str | None:
        """Why the first of the workers cannot start, when none of them can; else None."""
        states = self.workers
        if not states or any(each.state != "broken" for each in states):
            return None
        return states[0].message

    @property
    def workers(self) -> list[WorkerState]:
        """All workers as they are now."""
        return [each.state for each in self._supervisors.values()]
