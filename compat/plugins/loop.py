"""The event loop that plugins know as PromptServer.instance.loop.

Plugins are imported on the main thread inside it, as they expect; between imports it lives in a thread of its own,
where their routes are answered while the main thread draws.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from engine.errors import LatentwireError

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that a route, or a task of a plugin, may keep the loop from pausing."""

log = logging.getLogger(__name__)


class Busy(LatentwireError):
    """Something of a plugin keeps the loop to itself; the message says what."""


class _Stop:
    """A wish that the loop stops, which can be taken back until the loop has heard it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._lock = loop, threading.Lock()
        self._is_heard = self._is_withdrawn = False
        loop.call_soon_threadsafe(self._hear)

    def withdraw(self) -> bool:
        """Returns: whether it was in time, so that the loop goes on."""
        with self._lock:
            self._is_withdrawn = not self._is_heard
            return self._is_withdrawn

    def _hear(self) -> None:
        with self._lock:
            self._is_heard = not self._is_withdrawn
            if self._is_heard:
                self._loop.stop()


class PluginLoop:
    """One loop, in this thread or in its own.

    name: says what a task of the loop does, "" where it does not know; patience: how long it may keep the loop.
    """

    def __init__(
        self, name: Callable[[asyncio.Task[Any]], str] = lambda task: "", *, patience: float = PATIENCE
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.name = name
        self._patience = patience
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs something inside the loop in this thread, while its own thread pauses.

        Raises: Busy, when that does not pause in time; then nothing is run, and it goes on.
        """
        try:
            was_living = self._pause()
        except Busy:
            coroutine.close()
            raise
        asyncio.set_event_loop(self.loop)
        try:
            return self.loop.run_until_complete(coroutine)
        finally:
            asyncio.set_event_loop(None)
            if was_living:
                self.live()

    def live(self) -> None:
        """From now on the loop runs in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="plugins", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """The loop ends. Raises: Busy; then it ends with the process."""
        self._pause()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.run(asyncio.sleep(0))  # in which they end
        self.loop.close()

    def _pause(self) -> bool:
        thread = self._thread
        if thread is None:
            return False
        stop = _Stop(self.loop)
        thread.join(self._patience)
        if thread.is_alive():
            what = self._busy_with()  # asked before it is let go on
            if stop.withdraw():
                raise Busy(
                    f"{what} has kept the plugins' event loop to itself for {self._patience:g} s. Try again when it is "
                    "done, or restart the server; long work of a route belongs in a thread: await asyncio.to_thread(…)"
                )
            thread.join()
        self._thread = None
        return True

    def _busy_with(self) -> str:
        task = asyncio.current_task(self.loop)
        if task is None:
            return "a plugin's callback"
        return self.name(task) or f"a plugin's task ({getattr(task.get_coro(), '__qualname__', task.get_name())})"

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while True:
            try:
                self.loop.run_forever()
                return  # somebody paused it
            except BaseException:
                log.exception("a task of a plugin ended its loop, which goes on")
