"""One client that is told what happens: first what it missed, from the disk, then what happens now, nothing twice."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing

from engine.errors import LatentwireError
from server.events.mailbox import FAILED, OVER, TOO_SLOW, Goodbye, Mailbox, Packet
from server.jobs.job import Sent, StoredEvent

log = logging.getLogger(__name__)

TOGETHER = 20
"""Packets that are written in one go, before others get their turn (about 0.2 ms, November 2026)."""

Say = Callable[[Sent], Iterable[Packet]]
Pages = Callable[[int], Awaitable[Sequence[StoredEvent]]]
"""The first stored events after a number; none, when there are no more."""


async def never() -> bool:
    """The answer to "is it over?" of those who are told about all jobs of a client."""
    return False


async def nothing(after: int) -> Sequence[StoredEvent]:
    """The pages of those who missed nothing."""
    return ()


class Receiver:
    """Somebody who is told what happens, in their own way of speaking (`say`).

    While it is behind, what happens now is not kept for it: it is on the disk, where `pages` finds it. So a client
    that has much to catch up with needs no more memory than any other. Pictures and texts are not on the disk; those
    of that short time are left out.

    is_over: whether nothing more will happen, asked where the end may have come. idle: what is sent when nothing
    happens for so many seconds. on_written: called after each packet.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        say: Say,
        *,
        after: int | None = None,
        pages: Pages = nothing,
        is_over: Callable[[], Awaitable[bool]] = never,
        idle: tuple[float, Packet] | None = None,
        on_written: Callable[[], None] = lambda: None,
    ) -> None:
        self.mailbox = mailbox
        self._say, self._pages, self._is_over, self._idle, self._on_written = say, pages, is_over, idle, on_written
        self._last = after or 0
        self._newest = 0
        self._is_behind = after is not None

    def tell(self, sent: Iterable[Sent]) -> None:
        """What happened now. Nothing at all means: look whether it is over."""
        is_empty = True
        for item in sent:
            is_empty = False
            if isinstance(item, StoredEvent):
                self._newest = max(self._newest, item.number)
                if self._is_behind or item.number <= self._last:
                    continue
                self._last = item.number
            elif self._is_behind:
                continue
            for packet in self._say(item):
                self.mailbox.put(packet)
        if is_empty:
            self.mailbox.wake()

    async def deliver(self, write: Callable[[Packet], Awaitable[None]]) -> Goodbye:
        """Writes everything in its order until there is no more. Returns: why there is no more.

        `write` may raise TimeoutError to drop the client, as the mailbox does.
        Raises: ConnectionError, as `write` does when nobody is there any more.
        """
        loop, written = asyncio.get_running_loop(), 0
        try:
            async with asyncio.timeout(None) as clock, aclosing(self._packets()) as packets:
                self.mailbox.on_drop = lambda: clock.reschedule(loop.time())
                async for packet in packets:
                    if self.mailbox.is_dropped:
                        break
                    await write(packet)
                    self._on_written()
                    written += 1
                    if written % TOGETHER == 0:
                        await asyncio.sleep(0)
        except TimeoutError:
            self._drop(Goodbye(TOO_SLOW, "too slow: nothing was read for too long; connect again with since"))
        except LatentwireError as error:
            log.error("a client cannot be told what it missed: %s", error)
            self._drop(Goodbye(FAILED, "the server cannot read its records; its log says why"))
        finally:
            self.mailbox.on_drop = None
        return self.mailbox.goodbye or Goodbye(OVER, "")

    async def _packets(self) -> AsyncGenerator[Packet, None]:
        seconds = None if self._idle is None else self._idle[0]
        while True:
            if self._is_behind:
                async for missed in self._missed():
                    yield missed
            packet = await self.mailbox.get(seconds)
            if packet is not None:
                yield packet
                if packet.is_end and await self._is_over():
                    return
            elif self.mailbox.goodbye is not None:
                return
            elif self._idle is not None:
                yield self._idle[1]
                self._is_behind = True  # looks on the disk whether it is over

    async def _missed(self) -> AsyncGenerator[Packet, None]:
        """What is on the disk, until that is all there is."""
        newest, is_over, has_asked = 0, False, False
        while self.mailbox.goodbye is None:
            while (waiting := self.mailbox.take()) is not None:
                yield waiting
            page = await self._pages(self._last)
            for event in page:
                self._last = event.number
                for packet in self._say(event):
                    yield packet
            if page:
                has_asked = False
            elif not has_asked:
                # Asked before the last look: what was told until now is found by it.
                newest, is_over, has_asked = self._newest, await self._is_over(), True
            elif is_over:
                self.mailbox.end(Goodbye(OVER, ""))
            elif newest == self._newest:
                self._is_behind = False
                return
            else:
                has_asked = False

    def _drop(self, goodbye: Goodbye) -> None:
        self.mailbox.on_drop = None  # this is where it would lead to
        self.mailbox.drop(goodbye)
