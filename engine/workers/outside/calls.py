"""Questions to a worker and their answers, and a worker's own questions, each beside whatever else is said."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.errors import LatentwireError
from engine.workers.outside.child import Child

Want = Callable[[str, Any], Awaitable[Any]]

log = logging.getLogger(__name__)


class Calls:
    """What was asked of one process, or by it, and is not yet answered."""

    def __init__(self, name: str, child: Child) -> None:
        self._name, self._child = name, child
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._wanting: set[asyncio.Task[None]] = set()

    async def ask(self, message: Mapping[str, Any], within: float) -> Any:
        """The worker's answer; None when there is none in time."""
        call = next(self._numbers)
        self._answers[call] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within):
                return await self._answers[call] if self._child.write({**message, "call": call}) else None
        except TimeoutError:
            return None
        finally:
            self._answers.pop(call, None)

    def answer(self, message: Mapping[str, Any]) -> None:
        """The worker has answered."""
        answer = self._answers.get(message["call"]) if isinstance(message.get("call"), int) else None
        if answer is None or answer.done():
            return
        if message.get("error"):
            log.warning("%s could not answer: %s", self._name, message["error"], extra={"worker": self._name})
        answer.set_result(message.get("result"))

    def want(self, message: Mapping[str, Any], answer: Want) -> None:
        """Has a question of the worker answered."""
        task = asyncio.create_task(self._give(message, answer))
        self._wanting.add(task)
        task.add_done_callback(self._wanting.discard)

    def close(self) -> None:
        """The process is gone: nothing is answered any more."""
        for each in self._wanting:
            each.cancel()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(None)

    async def _give(self, message: Mapping[str, Any], answer: Want) -> None:
        given: dict[str, Any] = {}
        try:
            given["result"] = await answer(str(message.get("what")), message.get("data"))
        except LatentwireError as error:
            given["error"] = str(error)
        except Exception as error:  # a mistake of ours; whoever asked must not wait for it
            log.exception("what %s wants cannot be given", self._name, extra={"worker": self._name})
            given["error"] = f"{type(error).__name__}: {error}"
        self._child.write({"type": "given", "call": message.get("call"), **given})
