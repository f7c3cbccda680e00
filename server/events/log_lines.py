"""Who wants to see the log: sockets that asked for it are told its lines as they are written."""

from collections.abc import Sequence

from server.events.hub import Hub
from server.protocol.system import LogEntry, LogsMessage, TerminalSize
from server.watching.recent import Recent

MOST = 100
"""Clients that may ask; the one that asked first gives way."""

SIZE: TerminalSize = {"cols": 200, "rows": 50}
"""What clients take for the size of the server's terminal. Lines here are not wrapped."""


class LogLines:
    """The lines of the log, for those who subscribed."""

    def __init__(self, recent: Recent, hub: Hub) -> None:
        self.recent = recent
        self._hub = hub
        self._clients: dict[str, None] = {}

    def subscribe(self, client: str, wanted: bool) -> None:
        """A client wants the lines, or no longer. Call it on the event loop."""
        self._clients.pop(client, None)
        if wanted:
            self._clients[client] = None
            while len(self._clients) > MOST:
                self._clients.pop(next(iter(self._clients)))
            self.recent.tell(self._told)
        elif not self._clients:
            self.recent.tell_nobody()

    def _told(self, entries: Sequence[LogEntry]) -> None:
        message: LogsMessage = {"entries": entries, "size": SIZE}
        for client in [each for each in self._clients if not self._hub.is_connected(each)]:
            del self._clients[client]
        for client in self._clients:
            self._hub.send("logs", message, client, is_optional=True)
        if not self._clients:
            self.recent.tell_nobody()
