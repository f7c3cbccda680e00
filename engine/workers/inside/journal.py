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
from engine.workers.inside.channel import Channel
from engine.workers.inside.thinning import Thinning
from engine.workers.messages import frame, pack

MAX_EVENT = 64 << 20
"""Bytes. What a node shows is stored and sent to every client; a picture is a file, and its name is short."""

LONGEST_MESSAGE = 10_000  # characters of an error, when all of it would be larger than MAX_EVENT


class TooLarge(LatentwireError):
    """A node shows more than can be sent."""

    def __init__(self, message: str, node: str) -> None:
        super().__init__(message)
        self.node = node


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
        if not self._channel.is_open:
            _end_copy(event)
            return
        checked = _counted(event) if isinstance(event, Progress) else event
        if checked is not None:
            with self._lock:
                self._take(checked)

    def catch_up(self) -> None:
        """Writes what has been held back long enough; called about once a second."""
        with self._lock:
            for event in self._thinning.overdue(time.monotonic()):
                self._write(event)

    def end(self, status: str) -> None:
        """The run is over as the executor said."""
        with self._lock:
            is_told = any(isinstance(each, Finished) for each in self._ending)
            self._close(self._ending if is_told else [*self._ending, self._end(status)])

    def cancel(self) -> None:
        """The run was left because of a cancel."""
        with self._lock:
            told = self._interrupted or Interrupted(self._current[0] or None, self._current[1])
            self._close([told, self._end("cancelled")])

    def fail(self, error: BaseException) -> None:
        """The run was left because of an exception that the executor does not answer for."""
        with self._lock:
            told = self._interrupted
            where = self._current if told is None else (told.node or "", told.class_type)
            if isinstance(error, TooLarge):  # of a node that was found in the cache
                where = error.node, ""
            executed = told.executed if told is not None else ()
            self._close([failed(where, error, inputs={}, executed=executed), self._end("failed")])

    def _take(self, event: Event) -> None:
        if self._is_closed:
            return
        if isinstance(event, Interrupted | Finished):
            self._ending.append(event)
            return
        if isinstance(event, Executing):
            self._current = event.node, event.class_type
        for each in self._thinning.take(event, time.monotonic()):
            self._write(each)

    @property
    def _interrupted(self) -> Interrupted | None:
        return next((each for each in self._ending if isinstance(each, Interrupted)), None)

    def _end(self, status: str) -> Finished:
        return Finished(status, time.monotonic() - self._began)

    def _close(self, ending: Sequence[Event]) -> None:
        self._is_closed = True
        for event in (*self._thinning.rest(), *ending):
            self._write(event)

    def _write(self, event: Event) -> None:
        whole = self._frame(event)
        if len(whole) <= MAX_EVENT:
            self._channel.write(whole)
        elif isinstance(event, Failed):
            self._channel.write(self._frame(_cut(event)))
        elif not isinstance(event, Preview | Text):  # those only decorate, and are held back besides: nobody to tell
            raise _too_large(event, len(whole))

    def _frame(self, event: Event) -> bytes:
        packed, data = pack(event)
        return frame({"type": "event", "job": self._job, "event": packed}, data)


def _counted(event: Progress) -> Progress | None:
    """Progress in Python's numbers; None where there is nothing to count."""
    if type(event.value) is int and type(event.maximum) is int:
        return event
    try:
        value, maximum = float(event.value), float(event.maximum)
    except OverflowError:
        return None
    return Progress(event.node, value, maximum) if math.isfinite(value) and math.isfinite(maximum) else None


def _too_large(event: Event, size: int) -> TooLarge:
    node = getattr(event, "node", "")
    return TooLarge(
        f"node {node} shows {size:,} bytes ({type(event).__name__}); at most {MAX_EVENT:,} can be sent: write a file "
        "and show its name",
        node,
    )


def _cut(event: Failed) -> Failed:
    """A failure small enough to be sent whatever the exception said."""
    message = f"{event.message[:LONGEST_MESSAGE]}… ({len(event.message):,} characters)"
    return replace(event, message=message, traceback=(), inputs={}, executed=event.executed[:LONGEST_MESSAGE])


def _end_copy(event: Event) -> None:
    """A node forked this process. Its child may report what it does; when it goes on as if it were us, it ends here."""
    if not isinstance(event, Progress | Preview | Text):
        os._exit(1)
