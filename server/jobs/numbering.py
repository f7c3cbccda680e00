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
