"""What a client missed is read in few steps, and the end is looked for only where it may be."""

import asyncio
from collections.abc import Sequence

from server.events import dialect
from server.events.mailbox import Mailbox, Packet
from server.events.receiver import Receiver
from server.jobs.job import StoredEvent

PATIENCE = 60.0


def event(number: int) -> StoredEvent:
    return StoredEvent(number, "a", "executing", "{}", 0, None)


def test_whether_it_is_over_is_asked_only_at_the_end_of_what_was_missed() -> None:
    stored = [event(number) for number in range(1, 2001)]
    asked: list[str] = []

    async def pages(after: int) -> Sequence[StoredEvent]:
        asked.append("page")
        return stored[after : after + 100]

    async def is_over() -> bool:
        asked.append("over")
        return True

    async def scenario() -> None:
        heard: list[bytes] = []

        async def write(packet: Packet) -> None:
            heard.append(packet.data)

        receiver = Receiver(Mailbox(lambda: 0), dialect.lines, after=0, pages=pages, is_over=is_over)
        async with asyncio.timeout(PATIENCE):
            await receiver.deliver(write)
        assert len(heard) == 2000

    asyncio.run(scenario())
    assert asked == [*["page"] * 21, "over", "page"]


def test_what_happens_while_the_end_is_looked_for_is_told() -> None:
    stored: list[StoredEvent] = []

    async def pages(after: int) -> Sequence[StoredEvent]:
        return [each for each in stored if each.number > after]

    async def scenario() -> None:
        heard: list[bytes] = []

        async def write(packet: Packet) -> None:
            heard.append(packet.data)

        async def is_over() -> bool:
            if len(stored) == 2:
                return True
            stored.append(event(len(stored) + 1))
            receiver.tell(stored[-1:])
            return False

        receiver = Receiver(Mailbox(lambda: 0), dialect.lines, after=0, pages=pages, is_over=is_over)
        async with asyncio.timeout(PATIENCE):
            await receiver.deliver(write)
        assert [each.split(b"\n")[0] for each in heard] == [b"id: 1", b"id: 2"]

    asyncio.run(scenario())
