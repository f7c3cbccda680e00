"""What waits to be sent to one client: bounded, so that a client that does not read costs little and delays nobody."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

LIMIT = 1 << 20
"""Bytes that may wait for a client, what the transport has not written included."""

LARGE = 256 << 10
"""Bytes; larger packets (finished pictures, long texts) are counted apart, or one alone would fill the box."""

LARGE_LIMIT = 32 << 20
"""Bytes of large packets that may wait; one is always taken."""

LATE = LIMIT // 4
"""Bytes that wait for a client that has fallen behind: it gets no more previews, and only the last status."""

# Close codes of RFC 6455, section 7.4.1.
OVER = 1000
GOING_AWAY = 1001
TOO_SLOW = 1008
FAILED = 1011


@dataclass(frozen=True, slots=True)
class Packet:
    """Something to send. A status may be replaced by a newer one; optional packets are left out for late clients.

    is_end: it is the end mark of a run.
    """

    data: bytes
    is_binary: bool = False
    is_status: bool = False
    is_optional: bool = False
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Why nothing more is sent: a close code of RFC 6455 and a reason of at most 123 bytes."""

    code: int
    reason: str


class Mailbox:
    """Packets for one client, in order. unsent: how many bytes the transport still holds."""

    def __init__(self, unsent: Callable[[], int]) -> None:
        self._unsent = unsent
        self._packets: deque[Packet] = deque()
        self._small = self._large = 0
        self._in_flight: Packet | None = None
        self._news = asyncio.Event()
        self._is_woken = False
        self.goodbye: Goodbye | None = None
        self.is_dropped = False
        self.on_drop: Callable[[], None] | None = None

    def put(self, packet: Packet) -> None:
        """Adds a packet; drops the client where there is no room."""
        if self.goodbye is not None:
            return
        late = self.waiting > LATE
        if late and packet.is_optional:
            return
        if late and packet.is_status and self._packets and self._packets[-1].is_status:
            self._count(self._packets.pop(), -1)
        if not self._has_room(len(packet.data)):
            self.drop(Goodbye(TOO_SLOW, "too slow: more than 1 MiB waited to be read; connect again with since"))
            return
        self._packets.append(packet)
        self._count(packet, 1)
        self._news.set()

    async def get(self, within: float | None = None) -> Packet | None:
        """The next packet, once the one before has been written.

        None: nothing came in that many seconds, or `wake` was called, or all has been sent and `goodbye` is set.
        """
        packet = self.take()
        if packet is None and self.goodbye is None and not self._is_woken:
            try:
                async with asyncio.timeout(within):
                    await self._news.wait()
            except TimeoutError:
                return None
            packet = self.take()
        if packet is None:
            self._is_woken = False
        return packet

    def take(self) -> Packet | None:
        """The next packet, if there is one."""
        self._news.clear()
        if self._in_flight is not None:
            self._large -= len(self._in_flight.data)
            self._in_flight = None
        if not self._packets:
            return None
        packet = self._packets.popleft()
        if _is_large(packet):
            self._in_flight = packet  # counted until it has been written
        else:
            self._count(packet, -1)  # the transport counts it from here
        return packet

    def wake(self) -> None:
        """Has `get` return once there is nothing to send, so that its caller looks around."""
        self._is_woken = True
        self._news.set()

    def end(self, goodbye: Goodbye) -> None:
        """Nothing more comes; what waits is still sent."""
        if self.goodbye is None:
            self.goodbye = goodbye
        self._news.set()

    def drop(self, goodbye: Goodbye) -> None:
        """Nothing more is sent."""
        if self.is_dropped:
            return
        self.is_dropped = True
        self.goodbye = self.goodbye or goodbye
        self._packets.clear()
        self._small = self._large = 0
        self._in_flight = None
        self._news.set()
        if self.on_drop is not None:
            self.on_drop()

    @property
    def waiting(self) -> int:
        """How many bytes wait here, without those in the transport."""
        return self._small + self._large

    def _has_room(self, size: int) -> bool:
        if size > LARGE:
            return self._large == 0 or self._large + size <= LARGE_LIMIT
        unsent = 0 if self._in_flight is not None else self._unsent()
        return self._small + unsent + size <= LIMIT

    def _count(self, packet: Packet, sign: int) -> None:
        if _is_large(packet):
            self._large += sign * len(packet.data)
        else:
            self._small += sign * len(packet.data)


def _is_large(packet: Packet) -> bool:
    return len(packet.data) > LARGE
