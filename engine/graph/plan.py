"""What is ready to run, what waits for what. Pure data: nothing here runs a node or looks at a value.

Ready nodes come out in this order: output and async nodes, then nodes one step before an output, then two steps, then
the rest; among equals the one that was planned first. Every question costs the size of its answer, so a whole run is
linear in the graph (times the logarithm of what is ready at once).
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Sequence

FAR = 3  # steps to an output beyond which nobody counts


class Plan:
    """The nodes of one run: planned, ready, taken, done.

    waits: the nodes that must be done before this one can start. is_output, is_async: what comes first when ready.
    is_available: asked when a node is reached; True means its result is there already, so nothing above it is planned.
    """

    def __init__(
        self,
        waits: Callable[[str], Collection[str]],
        *,
        is_output: Callable[[str], bool],
        is_async: Callable[[str], bool] = lambda node: False,
        is_available: Callable[[str], bool] = lambda node: False,
    ) -> None:
        self._waits = waits
        self._is_output = is_output
        self._is_async = is_async
        self._is_available = is_available
        self._left: dict[str, int] = {}
        self._dependents: dict[str, list[str]] = {}
        self._done: set[str] = set()
        self._ready: list[tuple[int, int, str]] = []
        self._places: dict[str, tuple[int, int]] = {}
        self._steps: dict[str, int] = {}

    def want(self, nodes: Iterable[str]) -> list[str]:
        """Plans these nodes and what they need. Returns: the nodes that were not planned before."""
        return self._add([*nodes], 0)

    def need(self, node: str, sources: Collection[str]) -> list[str]:
        """The taken node needs these first: it comes back once they are done. Returns: the nodes newly planned."""
        added = self._add(sources, self._steps.get(node, FAR) + 1)
        self._wait(node, sources)
        return added

    def became(self, node: str, nodes: Collection[str]) -> list[str]:
        """The taken node became these: it comes back once they are done. Returns: the nodes newly planned."""
        added = self._add(nodes, self._steps.get(node, FAR))
        self._wait(node, nodes)
        return added

    def next(self) -> str | None:
        """Takes the ready node that comes first; None when all wait or are taken."""
        return heapq.heappop(self._ready)[2] if self._ready else None

    def put_back(self, node: str) -> None:
        """The taken node is ready again."""
        heapq.heappush(self._ready, (*self._places[node], node))

    def done(self, node: str) -> None:
        """The taken node has its result; those that waited only for it become ready."""
        del self._left[node]
        self._done.add(node)
        left = self._left
        for dependent in self._dependents.pop(node, ()):
            left[dependent] -= 1
            if not left[dependent]:
                self.put_back(dependent)

    def is_planned(self, node: str) -> bool:
        """Whether the node is to run and has not yet."""
        return node in self._left

    @property
    def is_finished(self) -> bool:
        """Whether nothing planned is left to do."""
        return not self._left

    def unfinished(self) -> Sequence[str]:
        """The planned nodes that are not done, in the order they were planned."""
        return [*self._left]

    def _add(self, roots: Collection[str], steps: int) -> list[str]:
        new = self._reach(roots)
        if new:
            self._rank(new, roots, steps)
        for node in new:
            count = 0
            for source in self._waits(node):
                if source not in self._done:
                    self._dependents.setdefault(source, []).append(node)
                    count += 1
            self._left[node] = count
            if not count:
                self.put_back(node)
        return new

    def _reach(self, roots: Collection[str]) -> list[str]:
        """The nodes that must run for these roots, from the roots upwards, each branch to its end."""
        new: list[str] = []
        stack = [*roots][::-1]
        while stack:
            node = stack.pop()
            if node in self._left:
                continue
            if self._is_available(node):
                self._done.add(node)
                continue
            self._done.discard(node)  # it was done, but its result has been let go since
            self._left[node] = 0
            new.append(node)
            stack.extend(self._waits(node))
        return new

    def _rank(self, new: list[str], roots: Collection[str], steps: int) -> None:
        levels: list[list[str]] = [[] for _ in range(FAR + 1)]
        levels[0] = [node for node in new if self._is_output(node)]
        levels[min(steps, FAR)].extend(roots)
        fresh = set(new)
        for level in range(FAR):
            for node in levels[level]:
                if node in fresh:
                    fresh.discard(node)
                    self._steps[node] = level
                    levels[level + 1].extend(self._waits(node))
        for node in new:
            rank = 0 if self._is_async(node) else self._steps.setdefault(node, FAR)
            self._places[node] = (rank, len(self._places))

    def _wait(self, node: str, sources: Collection[str]) -> None:
        unfinished = [source for source in dict.fromkeys(sources) if source not in self._done]
        self._left[node] = len(unfinished)
        for source in unfinished:
            self._dependents.setdefault(source, []).append(node)
        if not unfinished:
            self.put_back(node)
