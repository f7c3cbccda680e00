"""The event loop that plugins know as PromptServer.instance.loop.

Plugins are imported on the main thread inside it, as they expect; between imports it lives in a thread of its own,
where their routes are answered while the main thread draws.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)


class PluginLoop:
    """One loop, in this thread or in its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs something inside the loop in this thread, while its own thread pauses."""
        was_living = self._pause()
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
        """The loop ends."""
        self._pause()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.run(asyncio.sleep(0))  # in which they end
        self.loop.close()

    def _pause(self) -> bool:
        thread, self._thread = self._thread, None
        if thread is None:
            return False
        self.loop.call_soon_threadsafe(self.loop.stop)
        thread.join()
        return True

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while True:
            try:
                self.loop.run_forever()
                return  # somebody paused it
            except BaseException:
                log.exception("a task of a plugin ended its loop, which goes on")
