"""What a job's run tells the server: every event written before the node goes on, thinned, nothing after the end."""

import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from engine.errors import LatentwireError
from engine.graph.events import Event, Executing, Failed, Finished, Interrupted, Preview, Progress, Text
from engine.graph.failure import failed
from engine.workers.channel import Channel
from engine.workers.messages import frame, pack
from engine.workers.thinning import Thinning

MAX_EVENT = 64 << 20
"""Bytes. What a node shows is stored and sent to every client; a picture is a file, and its name is short."""

LONGEST_MESSAGE = 10_000  # characters of an error, when all of it would be larger than MAX_EVENT


class TooLarge(LatentwireError):
    """A node shows more than can be sent."""


class Journal:
    """Takes the events of one job. `emit` may be called from several threads.

    How the run ended is written by `end` or `fail`: the executor says "interrupted" of a run that an exception ended,
    and only whoever called it knows better.
    """

    def __init__(self, job: str, channel: Channel) -> None:
        self._job = job
        self._channel = channel
        # Reentrant, because a finalizer may report something while an event is being packed.
        self._lock = threading.RLock()
        self._thinning = Thinning()
        self._began = time.monotonic()
        self._current: tuple[str, str] = ("", "")
        self._ending: list[Event] = []
        self._is_closed = False

    def emit(self, event: Event) -> None:
        """Writes an event. Raises: TooLarge."""
        if not self._channel.is_ours:
            _end_copy(event)
            return
        if isinstance(event, Progress):
            numbers = float(event.value), float(event.maximum)
            if not all(map(math.isfinite, numbers)):
                return
            event = event if type(event.value) in (int, float) else Progress(event.node, *numbers)
        with self._lock:
            if self._is_closed:
                return
            if isinstance(event, Interrupted | Finished):
                self._ending.append(event)
                return
            if isinstance(event, Executing):
                self._current = event.node, event.class_type
            for each in self._thinning.take(event, time.monotonic()):
                self._write(each)

    def catch_up(self) -> None:
        """Writes what has been held back long enough; called about once a second."""
        with self._lock:
            for event in self._thinning.overdue(time.monotonic()):
                self._write(event)

    def end(self, status: str) -> None:
        """The run is over as the executor said."""
        with self._lock:
            if not any(isinstance(each, Finished) for each in self._ending):
                self._ending.append(Finished(status, time.monotonic() - self._began))
            self._close(self._ending)

    def cancel(self) -> None:
        """The run was left because of a cancel."""
        with self._lock:
            told = [each for each in self._ending if isinstance(each, Interrupted)]
            self._close([*(told or [Interrupted(self._current[0] or None, self._current[1])]), self._end("cancelled")])

    def fail(self, error: BaseException) -> None:
        """The run was left because of an exception that the executor does not answer for."""
        with self._lock:
            told = next((each for each in self._ending if isinstance(each, Interrupted)), None)
            where = (told.node, told.class_type) if told is not None and told.node else self._current
            executed: Sequence[str] = told.executed if told is not None else ()
            self._close([failed(where, error, inputs={}, executed=executed), self._end("failed")])

    def _end(self, status: str) -> Finished:
        return Finished(status, time.monotonic() - self._began)

    def _close(self, ending: Sequence[Event]) -> None:
        self._is_closed = True
        for event in (*self._thinning.rest(), *ending):
            self._write(event)

    def _write(self, event: Event) -> None:
        packed, data = pack(event)
        whole = frame({"type": "event", "job": self._job, "event": packed}, data)
        if len(whole) > MAX_EVENT:
            if not isinstance(event, Failed):
                raise _too_large(event, len(whole))
            packed, data = pack(_cut(event))
            whole = frame({"type": "event", "job": self._job, "event": packed}, data)
        self._channel.write(whole)


def _too_large(event: Event, size: int) -> TooLarge:
    node = getattr(event, "node", "")
    return TooLarge(
        f"node {node} shows {size:,} bytes ({type(event).__name__}); at most {MAX_EVENT:,} can be sent: write a file "
        "and show its name"
    )


def _cut(event: Failed) -> Failed:
    """A failure small enough to be sent whatever the exception said."""
    message = f"{event.message[:LONGEST_MESSAGE]}… ({len(event.message):,} characters)"
    return replace(event, message=message, traceback=(), inputs={}, executed=event.executed[:LONGEST_MESSAGE])


def _end_copy(event: Event) -> None:
    """A node forked this process. Its child may report what it does; when it goes on as if it were us, it ends here."""
    if not isinstance(event, Progress | Preview | Text):
        os._exit(1)
