"""Async nodes side by side: coroutines that are under way while other nodes run.

There is one event loop per run, made when the first coroutine appears. It turns on the caller's own thread, between
nodes and while there is nothing else to do; only where that thread already has a running loop (a notebook) a helper
thread turns it, while the caller waits.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Awaiting:
    """The coroutines of a run that are not finished yet, each under the name of its node."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[asyncio.Task[Any], str] = {}

    def __bool__(self) -> bool:
        return bool(self._tasks)

    @property
    def nodes(self) -> list[str]:
        """The nodes that are under way."""
        return [*self._tasks.values()]

    def start(self, node: str, results: Sequence[Any]) -> None:
        """Sets the awaitables among a node's results going, side by side; the others are answers already."""

        async def begin() -> None:
            self._tasks[asyncio.get_running_loop().create_task(_settle(results))] = node

        self._drive(begin())
        self._drive(asyncio.sleep(0))  # up to its first await, so that a request is on its way

    def finished(self, timeout: float = 0.0) -> list[tuple[str, Callable[[], list[Any]]]]:
        """The nodes that came to an end, each with a function that returns its results or raises its error.

        Units: timeout in seconds; how long to wait for the first of them.
        """
        if not self._tasks:
            return []
        done = self._drive(self._wait(timeout))
        # In the order they were started, so that runs are alike.
        return [(self._tasks.pop(task), task.result) for task in [*self._tasks] if task in done]

    def resolve(self, value: Any) -> Any:
        """The value itself, or what an author's coroutine answers."""
        return self._drive(_one(value)) if hasattr(type(value), "__await__") else value

    def close(self) -> None:
        """Cancels what is under way, waits until it has stopped and takes the loop down."""
        if self._loop is None:
            return
        tasks = [*self._tasks]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            self._drive(asyncio.wait(tasks, timeout=5.0))
        for task in tasks:  # asked for, so that nobody warns that nobody asked
            if task.done() and not task.cancelled():
                task.exception()
        self._drive(self._loop.shutdown_asyncgens())
        self._loop.close()
        self._loop = None

    async def _wait(self, timeout: float) -> set[asyncio.Task[Any]]:
        if not timeout:
            await asyncio.sleep(0)
            return {task for task in self._tasks if task.done()}
        done, _ = await asyncio.wait(self._tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return done

    def _drive(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        loop = self._loop
        if not _is_loop_running():
            return loop.run_until_complete(work)
        answers: list[Answer] = []
        errors: list[BaseException] = []

        def turn() -> None:
            try:
                answers.append(loop.run_until_complete(work))
            except BaseException as error:  # noqa: BLE001 -- handed to the thread that asked
                errors.append(error)

        thread = threading.Thread(target=turn, name="async nodes")
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return answers[0]


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _one(value: Awaitable[Any]) -> Any:
    try:
        return await value
    except SystemExit as error:  # would end the loop, and the process with it
        raise RuntimeError("the node's code tried to end the program") from error


async def _settle(results: Sequence[Any]) -> list[Any]:
    """The results with their awaitables awaited, all at once; the first error stops the others."""
    waiting = [asyncio.ensure_future(_one(each)) for each in results if hasattr(type(each), "__await__")]
    try:
        answers = iter(await asyncio.gather(*waiting))
    except BaseException:
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        raise
    return [next(answers) if hasattr(type(each), "__await__") else each for each in results]
