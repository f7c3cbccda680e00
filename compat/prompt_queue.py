"""PromptServer.instance.prompt_queue: the jobs of the server, as plugins see and change them.

The queue itself is the API process's; what is asked here goes over the worker's line. Without a server there is none.
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from compat.host import host
from engine.errors import LatentwireError

Item = tuple[Any, ...]
"""(number, prompt id, prompt, extra data, output nodes)."""

log = logging.getLogger(__name__)


class Ask(Protocol):
    """How the server is asked. Raises: LatentwireError, where it does not answer."""

    def __call__(self, what: str, data: Any = None) -> Any: ...


class PromptQueue:
    """The queue. Its methods may be called from any thread, and wait for the server some seconds at most."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._flags: dict[str, Any] = {}

    @property
    def currently_running(self) -> dict[int, Item]:
        """What this process executes, under a number."""
        work = host().work
        if not work.prompt_id:
            return {}
        return {0: (0, work.prompt_id, dict(work.prompt), dict(work.extra_data), [])}

    def get_current_queue(self) -> tuple[list[Item], list[Item]]:
        """What runs and what waits. Without an answer: what this process knows."""
        try:
            told = self._ask("queue")
            return [_item(each) for each in told["running"]], [_item(each) for each in told["pending"]]
        except LatentwireError as error:
            log.warning("the queue cannot be looked at: %s", error)
            return [*self.currently_running.values()], []

    def get_current_queue_volatile(self) -> tuple[list[Item], list[Item]]:
        """The same."""
        return self.get_current_queue()

    def get_tasks_remaining(self) -> int:
        """How many jobs wait or run."""
        try:
            return int(self._ask("remaining"))
        except LatentwireError:
            return len(self.currently_running)

    def put(self, item: Item) -> None:
        """Has a prompt run, as if it had been posted: (number, prompt id, prompt, extra data, output nodes)."""
        number, prompt_id, prompt, extra_data, targets = item[:5]
        body = {
            "number": number,
            "prompt_id": prompt_id,
            "prompt": prompt,
            "extra_data": extra_data or {},
            "partial_execution_targets": list(targets) if targets else None,
            "client_id": (extra_data or {}).get("client_id"),
        }
        self._try("submit", {name: value for name, value in body.items() if value is not None})

    def delete_queue_item(self, function: Callable[[Item], bool]) -> bool:
        """Takes the first waiting job out of the queue that the function is true of. Returns: whether there was one."""
        for item in self.get_current_queue()[1]:
            if function(item):
                return bool(self._try("delete", [item[1]]))
        return False

    def wipe_queue(self) -> None:
        """Takes everything that waits out of the queue."""
        self._try("clear")

    def get_history(self, prompt_id: str | None = None, max_items: int | None = None, offset: int = -1) -> Any:
        """Entries as in /history, by prompt id."""
        asked = {"prompt_id": prompt_id, "max_items": max_items, "offset": offset}
        return self._try("history", asked) or {}

    def set_flag(self, name: str, data: Any) -> None:
        """unload_models or free_memory: memory is freed as soon as nothing runs."""
        if name in ("unload_models", "free_memory"):
            self._try("free", {name: bool(data)})
        else:
            self._flags[name] = data

    def get_flags(self, reset: bool = True) -> dict[str, Any]:
        """The flags that were set and mean nothing to us."""
        flags = dict(self._flags)
        if reset:
            self._flags.clear()
        return flags

    def _try(self, what: str, data: Any = None) -> Any:
        try:
            return self._ask(what, data)
        except LatentwireError as error:
            log.error("a plugin's wish is not granted: %s", error)
            return None


def _item(told: Any) -> Item:
    return tuple(told)
