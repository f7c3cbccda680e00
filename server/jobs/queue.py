"""What is kept in memory of the jobs that wait or run: enough to say which is next, and nothing that is large."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from server.jobs.job import Brief, State


@dataclass(slots=True, eq=False)
class Entry:
    """A job that waits or runs. is_moving: a change of its state is on its way to the disk."""

    brief: Brief
    digest: str
    is_moving: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether it could be started or withdrawn now."""
        return self.brief.state is State.WAITING and not self.is_moving


class Queue:
    """Jobs by id, and in the order of (number, sequence). Shows a change once it is on the disk."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        # Leaving the heap is lazy: what is no longer ready is passed over when it comes to the top.
        self._heap: list[tuple[float, int, str]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, job: str) -> Entry | None:
        """The entry of a job that waits or runs."""
        return self._entries.get(job)

    def add(self, brief: Brief, digest: str) -> None:
        """A job comes in."""
        self._entries[brief.id] = Entry(brief, digest)
        self._push(brief)

    def remove(self, entry: Entry) -> None:
        """A job has ended."""
        del self._entries[entry.brief.id]
        self._tidy()

    def settle(self, entry: Entry, brief: Brief) -> None:
        """A change of state has ended, the entry is `brief` now; it may be started when it waits."""
        entry.brief = brief
        entry.is_moving = False
        if brief.state is State.WAITING:
            self._push(brief)

    def next(self) -> Brief | None:
        """The job to run next."""
        while self._heap:
            *rank, job = self._heap[0]
            entry = self._entries.get(job)
            # The place may be that of an earlier job of this id, which was withdrawn and forgotten.
            if entry is not None and entry.is_ready and (*rank,) == _rank(entry.brief):
                return entry.brief
            heapq.heappop(self._heap)
        return None

    def ready(self) -> list[Entry]:
        """Those that could be withdrawn now, the next to run first."""
        return sorted((each for each in self._entries.values() if each.is_ready), key=lambda each: _rank(each.brief))

    def briefs(self, state: State) -> list[Brief]:
        """Those in a state, in the order in which they run."""
        return sorted((each.brief for each in self._entries.values() if each.brief.state is state), key=_rank)

    def __iter__(self) -> Iterator[Brief]:
        return (each.brief for each in self._entries.values())

    def _push(self, brief: Brief) -> None:
        heapq.heappush(self._heap, (brief.number, brief.sequence, brief.id))

    def _tidy(self) -> None:
        """Keeps the heap from filling up with jobs that have left, where nobody asks for the next."""
        if len(self._heap) > 2 * len(self._entries) + 64:
            self._heap = [(*_rank(each.brief), each.brief.id) for each in self._entries.values() if each.is_ready]
            heapq.heapify(self._heap)


def _rank(brief: Brief) -> tuple[float, int]:
    return brief.number, brief.sequence
