"""What code in a worker may say to the server and ask it, from any thread: the door of plugins' messages."""

import itertools
import threading
from collections.abc import Mapping
from typing import Any

from engine.errors import LatentwireError
from engine.workers.inside.channel import Channel
from engine.workers.plain import plain

LARGEST = 32 << 20
"""Bytes of one message; a client's mailbox takes no more."""

PATIENCE = 5.0
"""Seconds that a question waits for the server."""


class NoAnswer(LatentwireError):
    """The server did not answer, or refused; the message says why."""


class Line:
    """The worker's side. sockets: who is connected to the server, and the flags they announced, as last heard."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._calls = itertools.count(1)
        self._waiting: dict[int, tuple[threading.Event, dict[str, Any]]] = {}
        self.sockets: Mapping[str, Mapping[str, Any]] = {}

    def tell(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """A message to one client, or to all: JSON under a name, or bytes under a number. Raises: NoAnswer."""
        if isinstance(event, str):
            self._channel.send({"type": "tell", "event": event, "data": plain(data), "sid": sid})
            return
        if len(data) > LARGEST:
            raise NoAnswer(f"a message of {len(data):,} bytes; at most {LARGEST:,} can be sent: write a file instead")
        self._channel.send({"type": "tell", "event": int(event), "sid": sid}, bytes(data))

    def text(self, text: str, *, node: str, job: str, sid: str | None = None) -> None:
        """A line of text below a node."""
        self._channel.send({"type": "text", "text": text, "node": node, "job": job, "sid": sid})

    def importing(self, plugin: str) -> None:
        """This plugin is imported next ("": all are); the server begins to count the time anew."""
        self._channel.send({"type": "importing", "plugin": plugin})

    def plugins(self, about: Mapping[str, Any]) -> None:
        """What plugins there are now, and what they offer."""
        self._channel.send({"type": "plugins", **about})

    def ask(self, what: str, data: Any = None, within: float = PATIENCE) -> Any:
        """What the server answers. Not for the thread that reads the pipe. Raises: NoAnswer."""
        call = next(self._calls)
        came, answer = self._waiting[call] = threading.Event(), {}
        try:
            self._channel.send({"type": "want", "call": call, "what": what, "data": plain(data)})
            if not came.wait(within):
                raise NoAnswer(f"{what}: the server did not answer within {within:g} s")
        finally:
            self._waiting.pop(call, None)
        if answer.get("error"):
            raise NoAnswer(f"{what}: {answer['error']}")
        return answer.get("result")

    def hear(self, message: Mapping[str, Any]) -> None:
        """What the server said: an answer, or who is connected."""
        if message["type"] == "sockets":
            self.sockets = dict(message.get("sockets") or {})
            return
        waiting = self._waiting.get(message.get("call", 0))
        if waiting is not None:
            waiting[1].update(message)
            waiting[0].set()
