"""When to give a worker process up: a clock, what was last heard of it, and the limits.

Pure: time, messages and memory are told to it. Its clock stands still while the API was not listening (a blocked loop,
a suspended machine, a listener that takes long), so nobody is given up for what was not heard then.
"""

from collections.abc import Mapping
from typing import Any

from engine.workers.outside.contract import End, Limits
from engine.workers.outside.death import died

ALMOST_NO_CPU = 0.05
"""Of one core, between two heartbeats; sending them takes about a thousandth."""

IMPORTING_CPU = 0.01
"""The same for an import, which may wait for the network with little to compute."""

GIBIBYTE = 1 << 30


class Watch:
    """What is known about one process. Units: seconds of its own clock, bytes."""

    def __init__(self, limits: Limits) -> None:
        self.memory = 0
        self._limits = limits
        self._clock = 0.0
        self._is_ready = False
        self._loading: float | None = 0.0
        self._plugin = ""
        self._got_on = self._beaten = 0.0
        self._heard = 0.0
        self._progress: float | None = None
        self._cpu: tuple[float, float] | None = None
        self._cancelled: float | None = None
        self._seen: float | None = None
        self._leaving: float | None = None
        self._emptying: float | None = None

    def pass_time(self, seconds: float) -> None:
        """So long it was listened to."""
        self._clock += seconds

    def importing(self, plugin: str = "") -> None:
        """It imports this plugin from now on ("": what is not a plugin); each has as long as a start may take."""
        self._loading, self._plugin, self._got_on = self._clock, plugin, self._clock

    def ready(self) -> None:
        """It has imported its nodes."""
        self._is_ready, self._loading, self._plugin = True, None, ""

    def heard(self) -> None:
        """Any message came."""
        self._heard = self._clock

    def beat(self, message: Mapping[str, Any]) -> None:
        """A heartbeat came: the job it runs goes on if it looked at the flag or computed since the last."""
        looked, cpu = message.get("looked"), message.get("cpu")
        self._beaten = self._clock
        if isinstance(looked, int | float):
            self._goes_on(self._clock - looked)
        if isinstance(cpu, int | float):
            before, at = self._cpu or (cpu, self._clock)
            share = (cpu - before) / max(self._clock - at, 1.0)
            if share > ALMOST_NO_CPU:
                self._goes_on(self._clock)
            if share > IMPORTING_CPU:
                self._got_on = self._clock
            if self._clock - at >= 1.0 or self._cpu is None:
                self._cpu = (cpu, self._clock)

    def event(self) -> None:
        """The job reported something."""
        self._goes_on(self._clock)

    def began(self) -> None:
        """It was given a job."""
        self._progress, self._cancelled, self._seen, self._emptying = self._clock, None, None, None

    def cancelled(self) -> None:
        """The job was asked to stop."""
        if self._cancelled is None:
            self._cancelled = self._clock

    def seen(self) -> None:
        """The running node saw that it was asked. What it looked at before that does not count."""
        if self._cancelled is not None and self._seen is None:
            self._seen = self._clock

    def done(self) -> None:
        """The job is over."""
        self._progress, self._cancelled, self._seen = None, None, None

    def leave_within(self, seconds: float) -> None:
        """It was told to exit."""
        self._leaving = self._clock + seconds

    def empty_within(self, seconds: float) -> None:
        """It was told to free its memory."""
        self._emptying = self._clock + seconds

    @property
    def is_over(self) -> bool:
        """Whether it is too large to be given another job."""
        return self._limits.memory is not None and self.memory > self._limits.memory

    @property
    def had_time_to_empty(self) -> bool:
        """Whether what it has not freed by now, it will not free."""
        return self._emptying is not None and self._clock >= self._emptying

    @property
    def overdue(self) -> str:
        """In which way the import of a plugin, or the start, takes too long; "" when it does not."""
        if self._loading is None:
            return ""
        patience = self._limits.plugin
        # One that cannot even say that it computes may well do so, and keep the interpreter to itself.
        if self._plugin and patience and self._beaten - self._got_on >= patience:
            return f"it did nothing for {patience:g} s (--plugin-timeout)"
        return f"not done after {self._limits.start:g} s" if self._clock - self._loading >= self._limits.start else ""

    def verdict(self) -> End | None:
        """Why it must be ended now; None while it may go on."""
        return self._size() or self._start() or self._cancel() or self._silence() or self._stall() or self._leave()

    def _goes_on(self, at: float) -> None:
        if self._progress is not None:
            self._progress = max(self._progress, at)

    def _size(self) -> End | None:
        limit = self._limits.memory_limit
        if limit is None or self.memory <= limit:
            return None
        return died(
            "out_of_memory",
            f"The worker was ended because it grew to {self.memory / GIBIBYTE:.2f} GiB, and --worker-memory-limit is "
            f"{limit / GIBIBYTE:.2f}. Use a smaller picture, batch or model.",
        )

    def _start(self) -> End | None:
        overdue = self.overdue
        if not overdue:
            return None
        if self._plugin:
            return died("unresponsive", f"The worker was importing {self._plugin}, and was ended: {overdue}.")
        return died("unresponsive", f"The worker was not ready after {self._limits.start:g} s, and was ended.")

    def _cancel(self) -> End | None:
        if self._cancelled is None:
            return None
        if self._seen is None and self._clock - self._cancelled >= self._limits.cancel_grace:
            return died(
                "cancelled",
                f"Cancelled. The running node did not look at the request for {self._limits.cancel_grace:g} s, "
                "so its worker was ended and started anew.",
            )
        if self._seen is not None and self._clock - self._seen >= self._limits.unwinding:
            return died(
                "cancelled",
                f"Cancelled. The running node did not stop within {self._limits.unwinding:g} s of being asked, "
                "so its worker was ended and started anew.",
            )
        return None

    def _silence(self) -> End | None:
        is_importing = self._loading is not None  # then it may be silent
        if not self._is_ready or is_importing or self._clock - self._heard < self._limits.heartbeat:
            return None
        return died(
            "unresponsive",
            f"The worker was ended because it gave no sign of life for {self._limits.heartbeat:g} s. The running node "
            "keeps the interpreter to itself, or waits while holding it.",
        )

    def _stall(self) -> End | None:
        if self._progress is None or not self._limits.stall or self._clock - self._progress < self._limits.stall:
            return None
        return died(
            "stalled",
            f"The worker was ended because the running node neither reported, nor looked whether it is cancelled, nor "
            f"computed anything for {self._limits.stall:g} s. --stall-timeout 0 lets nodes wait for ever.",
        )

    def _leave(self) -> End | None:
        if self._leaving is None or self._clock < self._leaving:
            return None
        return died("stopped", "The worker was told to exit, and had not done so in time.")
