"""Whether a job should stop, and whether its nodes ask."""

import time
from collections.abc import Callable


class Flag:
    """One job's cancel flag. on_seen is called once: when somebody looks at it and finds it set."""

    def __init__(self, on_seen: Callable[[], None]) -> None:
        self._on_seen: Callable[[], None] | None = on_seen
        self._is_set = False
        self._looked: float | None = None

    def set(self) -> None:
        """From now on the answer is: stop."""
        self._is_set = True

    def retire(self) -> None:
        """The job is over: whoever still looks, a thread left behind, is of no interest."""
        self._on_seen = None

    def is_cancelled(self) -> bool:
        """Whether the job should stop. Samplers ask this very often, so there is next to nothing in it."""
        self._looked = time.monotonic()
        if self._is_set:
            self._tell()
            return True
        return False

    @property
    def looked(self) -> float | None:
        """Seconds since somebody last asked; None: never."""
        return None if self._looked is None else time.monotonic() - self._looked

    def _tell(self) -> None:
        # Two threads at once may both tell; saying it twice does no harm.
        told, self._on_seen = self._on_seen, None
        if told is not None:
            told()
