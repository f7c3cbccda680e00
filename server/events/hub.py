"""Who listens: sends what happens to the sockets it concerns, in order, and never waits for any of them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from server.events import dialect, frames
from server.events.dialect import SocketDialect
from server.events.mailbox import GOING_AWAY, LIMIT, Goodbye, Mailbox, Packet
from server.events.receiver import Receiver, Say
from server.jobs.job import Frame, Sent, StoredEvent
from server.jobs.store import Jobs
from server.protocol.messages import StatusMessage
from server.requests.refusal import Refused
from server.watching.metrics import Tally

MOST = 1000
"""Sockets and event streams that may be open at once."""

PAGE = 500
"""Stored events that are read at a time for one client, unless they are more than may wait for one."""

QUIET = 15.0
"""Seconds of silence after which an event stream says that it is still there (proxies end silent ones)."""

PARTING = 1.0
"""Seconds that clients have to take what waits for them and a goodbye."""


class Hub:
    """The sockets and event streams that are open now."""

    on_change: Callable[[], None] | None = None
    """Called when a client came or went, or said what it can do."""

    def __init__(self, jobs: Jobs, *, tally: Tally | None = None, most: int = MOST, quiet: float = QUIET) -> None:
        self._jobs, self._tally, self._most, self._quiet = jobs, tally or Tally(), most, quiet
        self._sockets: set[Receiver] = set()
        self._clients: dict[str, Receiver] = {}
        self._dialects: dict[str, SocketDialect] = {}
        self._followers: dict[str, set[Receiver]] = {}
        self._count = 0
        self._is_closed = False
        self._is_empty = asyncio.Event()

    # --- coming and going ---

    def connect(
        self,
        client_id: str,
        dialect: SocketDialect,
        *,
        unsent: Callable[[], int],
        since: int | None = None,
        executing: str | None = None,
    ) -> Receiver:
        """A socket for a client, in place of any other it has. The first that it is told is the status.

        since: the number of the last event it has. executing: the node on the screen that runs for it now.
        Raises: Refused, when there are too many or the server is going down.
        """

        async def pages(after: int) -> Sequence[StoredEvent]:
            return await self._jobs.events(after, client=client_id, limit=PAGE, characters=LIMIT)

        self._admit()
        receiver = Receiver(
            Mailbox(unsent),
            dialect.say,
            after=self._known(since),
            pages=pages,
            on_written=self._tally.event_sent,
        )
        self._sockets.add(receiver)
        self._clients[client_id] = receiver
        self._dialects[client_id] = dialect
        self.changed()
        receiver.mailbox.put(_status(self._jobs.remaining, sid=client_id))
        if executing is not None:
            receiver.mailbox.put(Packet(frames.message("executing", {"node": executing})))
        return receiver

    def disconnect(self, client_id: str, receiver: Receiver) -> None:
        """A socket is gone; a newer one of the same client stays."""
        self._sockets.discard(receiver)
        if self._clients.get(client_id) is receiver:
            del self._clients[client_id], self._dialects[client_id]
            self.changed()
        self._part(receiver)

    def follow(
        self, job: str, *, unsent: Callable[[], int], since: int | None = None, say: Say = dialect.lines
    ) -> Receiver:
        """An event stream about a job, from its beginning or after an event; it ends when the job has.

        say: how it is spoken. Raises: Refused, as `connect`.
        """

        async def pages(after: int) -> Sequence[StoredEvent]:
            return await self._jobs.events(after, job=job, limit=PAGE, characters=LIMIT)

        async def is_over() -> bool:
            state = await self._jobs.state(job)
            return state is None or state.is_end

        self._admit()
        receiver = Receiver(
            Mailbox(unsent),
            say,
            after=self._known(since) or 0,
            pages=pages,
            is_over=is_over,
            idle=(self._quiet, Packet(b": nothing new\n\n")),
            on_written=self._tally.event_sent,
        )
        self._followers.setdefault(job, set()).add(receiver)
        return receiver

    def unfollow(self, job: str, receiver: Receiver) -> None:
        """An event stream is gone."""
        followers = self._followers.get(job, set())
        followers.discard(receiver)
        if not followers:
            self._followers.pop(job, None)
        self._part(receiver)

    def is_followed(self, job: str) -> bool:
        """Whether an event stream about the job is open."""
        return job in self._followers

    @property
    def sockets(self) -> int:
        """How many sockets and event streams are open."""
        return self._count

    async def close(self) -> None:
        """Says goodbye to everybody."""
        self._is_closed = True
        everybody = [*self._sockets, *(each for group in self._followers.values() for each in group)]
        goodbye = Goodbye(GOING_AWAY, "the server is going down")
        for receiver in everybody:
            receiver.mailbox.end(goodbye)
        if everybody and not await self._all_left():
            for receiver in everybody:
                receiver.mailbox.drop(goodbye)
            await self._all_left()

    # --- what happens ---

    def status(self, remaining: int) -> None:
        """Tells everybody how many jobs wait or run."""
        self._tell_all(_status(remaining))

    def publish(self, job: str, client_id: str | None, sent: Iterable[Sent]) -> None:
        """Sends what happened to a job, once it is on the disk, to its client and to those who follow the job.

        Nothing sent means that the job may be over without a word; those who follow it look.
        """
        receiver = None if client_id is None else self._clients.get(client_id)
        followers = self._followers.get(job, ())
        sent = [*sent]
        if receiver is not None:
            receiver.tell(sent)
        for follower in followers:
            follower.tell(sent)

    def is_connected(self, client_id: str) -> bool:
        """Whether a client has a socket open."""
        return client_id in self._clients

    def send(self, type: str, data: Any, client_id: str | None, *, is_optional: bool = False) -> None:
        """Sends any other message to a client, or to everybody; an optional one is left out for late clients."""
        self._send(Packet(frames.message(type, data), is_optional=is_optional), client_id)

    def send_bytes(self, event: int, data: bytes, client_id: str | None) -> None:
        """Sends any other binary message to a client, or to everybody."""
        self._send(Packet(frames.binary(event, data), is_binary=True), client_id)

    def show(self, frame: Frame, client_id: str | None) -> None:
        """Shows a picture or a text to a client, or to everybody, in the form that each understands."""
        for each, receiver in self._clients.items():
            if client_id in (None, each):
                receiver.tell([frame])

    def clients(self) -> dict[str, Mapping[str, Any]]:
        """Who is connected, and what they said they can do."""
        return {client: dialect.flags for client, dialect in self._dialects.items()}

    def changed(self) -> None:
        """A client came or went, or has said what it can do."""
        if self.on_change is not None:
            self.on_change()

    def _send(self, packet: Packet, client_id: str | None) -> None:
        if client_id is None:
            self._tell_all(packet)
        elif client_id in self._clients:
            self._clients[client_id].mailbox.put(packet)

    def _tell_all(self, packet: Packet) -> None:
        for receiver in self._sockets:
            receiver.mailbox.put(packet)

    # --- counting ---

    def _admit(self) -> None:
        if self._is_closed:
            raise Refused(503, "the server is going down; try again", headers={"Retry-After": "5"})
        if self._count >= self._most:
            raise Refused(
                503,
                f"{self._most} sockets and event streams are open already; close some, or try again later",
                headers={"Retry-After": "10"},
            )
        self._count += 1
        self._is_empty.clear()

    def _part(self, receiver: Receiver) -> None:
        self._count -= 1
        if receiver.mailbox.is_dropped and not self._is_closed:
            self._tally.client_dropped()
        if not self._count:
            self._is_empty.set()

    async def _all_left(self) -> bool:
        try:
            async with asyncio.timeout(PARTING):
                await self._is_empty.wait()
        except TimeoutError:
            return False
        return True

    def _known(self, since: int | None) -> int | None:
        """A number from before the records began anew means the latest."""
        return None if since is None else min(since, self._jobs.last_event)


def _status(remaining: int, sid: str | None = None) -> Packet:
    data: StatusMessage = {"status": {"exec_info": {"queue_remaining": remaining}}}
    if sid is not None:
        data["sid"] = sid
    return Packet(frames.message("status", data), is_status=sid is None)
