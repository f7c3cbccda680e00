"""A bound on what is in hand at once, measured in whatever its users measure it in."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Budget:
    """So much may be taken at once; who wants more waits, in the order of arrival."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, size: int, *, patience: float | None = None) -> AsyncIterator[None]:
        """Waits for its turn, and gives back at the end. More than there is at all counts as all of it.

        Raises: TimeoutError, when its turn has not come after that many seconds.
        """
        size = min(size, self._total)
        if self._waiting or size > self._free:
            async with asyncio.timeout(patience):
                await self._turn(size)
        else:
            self._free -= size
        try:
            yield
        finally:
            self._give(size)

    def is_wanted(self) -> bool:
        """Whether somebody waits for more than is free."""
        return any(not turn.cancelled() for _, turn in self._waiting)

    async def _turn(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            # It may have been given at this very moment; if not, there may be enough for whoever comes next.
            self._give(0 if turn.cancelled() else size)
            raise

    def _give(self, size: int) -> None:
        self._free += size
        while self._waiting and (self._waiting[0][1].cancelled() or self._waiting[0][0] <= self._free):
            wanted, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._free -= wanted
                turn.set_result(None)
