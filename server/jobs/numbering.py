"""The numbers that are given out: to jobs their order, to events theirs. What has been given never comes again."""

import math
from collections.abc import Iterable

from engine.errors import LatentwireError
from server.jobs.job import NewJob

EXACT = 1 << 53
"""Up to here a number is the same as an integer and as a float."""


class Numbering:
    """Counts. sequence, event and end are the last that were given; number is the next."""

    def __init__(self) -> None:
        self.sequence = 0
        self.event = 0
        self.end = 0
        self._number = 0

    def next_sequence(self) -> int:
        """The place of a new job in the order of acceptance."""
        self.sequence += 1
        return self.sequence

    def next_event(self) -> int:
        """The number of a new event."""
        self.event += 1
        return self.event

    def next_end(self) -> int:
        """The place of a job in the order of the ends."""
        self.end += 1
        return self.end

    def place(self, new: NewJob) -> float:
        """The number by which a new job is ordered: its own, or the next of the count; negative in front.

        Raises: LatentwireError, for one that is no number.
        """
        if new.number is not None:
            return _own(new.number)
        number = self._number
        self._number += 1
        return exact(-number if new.front else number)

    def in_front_of(self, first: float) -> float:
        """A number before this one, the first that waits; as a new job with `front` would get it."""
        number = self._number
        self._number += 1
        return exact(min(-number, math.floor(first) - 1))

    def behind(self, last: float) -> float:
        """A number behind this one, the last that waits; new jobs come after it."""
        number = max(self._number, math.floor(last) + 1)
        if number < EXACT:
            self._number = number + 1
        return exact(number)

    def anew(self, count: int) -> range:
        """So many numbers in a row."""
        first = self._number
        self._number += count
        return range(first, first + count)

    def go_on_from(self, numbers: Iterable[float]) -> None:
        """Counts on after these, so that what comes now is behind them, or with `front` before them."""
        highest = max((abs(number) for number in numbers), default=-1)
        self._number = math.floor(highest) + 1


def exact(number: float) -> float:
    """As it is read back from the file: an integer where it is one, because many clients expect that."""
    return int(number) if number == int(number) and abs(number) < EXACT else float(number)


def _own(number: float) -> float:
    try:
        if math.isfinite(number):
            return exact(number)
    except OverflowError:  # an integer that is larger than any float
        pass
    raise LatentwireError(f"number: expected a number that orders the queue, got {number!r:.40}")
