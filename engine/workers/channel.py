"""A pipe with frames on it: whole messages in, whole messages out, from any thread."""

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from engine.workers.messages import HEAD, BadFrame, frame, lengths, parse


class Channel:
    """Frames over two descriptors.

    on_loss: called when the other side no longer reads; a worker ends itself there. A process forked from this one
    (a node may do that) has no part in it: its copies are closed, and what it sends goes nowhere.
    """

    def __init__(self, reads: int, writes: int, on_loss: Callable[[OSError], None] | None = None) -> None:
        self._reader = open(reads, "rb", closefd=False)  # noqa: SIM115 -- open as long as the process is
        self._descriptors = reads, writes
        self._writes = writes
        self._on_loss = on_loss
        self._lock = threading.Lock()
        self.is_ours = True
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave)

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
        """Writes a frame that is made already."""
        if not self.is_ours:
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

    def _leave(self) -> None:
        """Runs in a forked child: the other side must see the end of file when the worker itself ends."""
        self.is_ours = False
        for each in self._descriptors:
            os.close(each)


__all__ = ["BadFrame", "Channel"]
