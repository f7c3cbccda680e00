"""What a worker's main thread has to do next, put there by the thread that reads the pipe."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.workers.inside.flag import Flag


@dataclass(frozen=True, slots=True)
class Job:
    """A job to run: the message "run", and the job's cancel flag."""

    id: str
    message: Mapping[str, Any]
    flag: Flag


@dataclass(frozen=True, slots=True)
class Release:
    """Memory to free between jobs."""

    unload_models: bool
    free_memory: bool


@dataclass(frozen=True, slots=True)
class Reload:
    """Plugins to import again between jobs: one by its name, or (None) those whose files have changed."""

    call: Any
    name: str | None


class Inbox:
    """Jobs in their order, wishes to free memory or to import plugins again, and the word to stop."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._release: Release | None = None
        self._reloads: deque[Reload] = deque()
        self._is_stopping = False
        self.running: Job | None = None

    def add(self, job: Job) -> None:
        """A job to run after those that came before."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def cancel(self, job: str) -> None:
        """Sets the flag of a job that runs or waits here; of any other there is nothing to do."""
        with self._changed:
            for each in (self.running, *self._jobs):
                if each is not None and each.id == job:
                    each.flag.set()

    def release(self, wish: Release) -> None:
        """Memory to be freed before the next job; wishes add up."""
        with self._changed:
            before = self._release or Release(False, False)
            self._release = Release(before.unload_models or wish.unload_models, before.free_memory or wish.free_memory)
            self._changed.notify()

    def reload(self, wish: Reload) -> None:
        """Plugins to be imported again before the next job."""
        with self._changed:
            self._reloads.append(wish)
            self._changed.notify()

    def stop(self) -> None:
        """What runs is the last; jobs that wait here are left to whoever sent them."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()

    def next(self) -> Job | Release | Reload | None:
        """Waits for what is to be done. Returns: None to stop. A job counts as running until `done`."""
        with self._changed:
            while not (self._is_stopping or self._release or self._reloads or self._jobs):
                self._changed.wait()
            if self._is_stopping:
                return None
            if self._release is not None:
                wish, self._release = self._release, None
                return wish
            if self._reloads:
                return self._reloads.popleft()
            self.running = self._jobs.popleft()
            return self.running

    def done(self) -> None:
        """The job that ran is over."""
        with self._changed:
            if self.running is not None:
                self.running.flag.retire()
            self.running = None

    def is_cancelled(self) -> bool:
        """Whether the job that runs now should stop."""
        running = self.running
        return running is not None and running.flag.is_cancelled()
