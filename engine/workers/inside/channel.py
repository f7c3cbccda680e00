"""A pipe with frames on it: whole messages in, whole messages out, from any thread."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from engine.workers.messages import HEAD, frame, lengths, parse


class Channel:
    """Frames over two descriptors. on_loss: called when the other side cannot be reached; without it that raises."""

    def __init__(self, reads: int, writes: int, on_loss: Callable[[OSError], None] | None = None) -> None:
        self._reader = open(reads, "rb", closefd=False)  # noqa: SIM115 -- open as long as the process is
        self._descriptors = reads, writes
        self._writes = writes
        self._on_loss = on_loss
        self._lock = threading.Lock()
        self.is_open = True

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        """The next message and the bytes beside it; None when the other side is gone. Raises: BadFrame."""
        head = self._reader.read(HEAD.size)
        if len(head) < HEAD.size:
            return None
        text_length, data_length = lengths(head)
        text, data = self._reader.read(text_length), self._reader.read(data_length)
        if len(text) < text_length or len(data) < data_length:
            return None
        return parse(text), data

    def send(self, message: Mapping[str, Any], data: bytes = b"") -> None:
        """Writes a message; waits while the other side does not read."""
        self.write(frame(message, data))

    def write(self, whole: bytes) -> None:
        """Writes a frame that is made already; nothing happens after `close`."""
        if not self.is_open:
            return
        try:
            with self._lock:
                written = os.write(self._writes, whole)
                while written < len(whole):
                    written += os.write(self._writes, memoryview(whole)[written:])
        except OSError as error:
            if self._on_loss is None:
                raise
            self._on_loss(error)

    def close(self) -> None:
        """Lets go of the pipe."""
        self.is_open = False
        for each in self._descriptors:
            with suppress(OSError):  # a node may have closed every descriptor it found
                os.close(each)
