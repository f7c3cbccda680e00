"""Strengths by schedule: keyframes, and where a run stands among them. Source: node_behaviour.md 11."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.sampling.table import SigmaTable


@dataclass(frozen=True)
class Keyframe:
    """From a share of the run on, this strength; for at least so many steps."""

    strength: float
    start: float = 0.0
    steps: int = 1


@dataclass(frozen=True, eq=False)
class Keyframes:
    """A schedule: keyframes in the order they begin. Hooks that share one are always at the same place in it."""

    frames: tuple[Keyframe, ...] = ()

    def joined(self, frames: Sequence[Keyframe]) -> "Keyframes":
        """One with more keyframes; those that begin together keep their order."""
        return Keyframes(tuple(sorted((*self.frames, *frames), key=lambda frame: frame.start)))

    def at(self, start: float) -> float:
        """The strength that the last keyframe has that begins by this share of the run; 1 before the first."""
        begun = [frame.strength for frame in self.frames if frame.start <= start]
        return begun[-1] if begun else 1.0

    def standing(self, table: SigmaTable, highest: float) -> "Standing":
        """Where a run stands that begins at this noise level."""
        return Standing(self.frames, [table.at_percent(frame.start) for frame in self.frames], highest)


NO_KEYFRAMES = Keyframes()
"""The full strength all the time."""


class Standing:
    """Where one run stands among keyframes; it only goes forward.

    `levels` are the noise levels at which they begin.
    """

    def __init__(self, frames: Sequence[Keyframe], levels: Sequence[float], highest: float) -> None:
        self.frames, self.levels, self.highest = frames, levels, highest
        self._index, self._used, self._level = 0, 0, math.inf

    def strength(self, level: float) -> float:
        """The strength at a noise level; asked again at the same level, nothing moves."""
        if not self.frames:
            return 1.0
        if level != self._level:
            self._level = level
            self._index, self._used = advanced(self._index, self._used, self.levels, level, self._steps)
        return self.frames[self._index].strength

    def _steps(self, index: int) -> int:
        # One that begins before the run does need not be held for any step.
        return 0 if self.levels[index] > self.highest else self.frames[index].steps


def advanced(
    index: int, used: int, levels: Sequence[float], level: float, steps: Callable[[int], int]
) -> tuple[int, int]:
    """The keyframe that holds at the next noise level, and for how many levels it has held then.

    One that has been held for its steps gives way to those that have begun; of these one with steps of its own stops
    the others for now.
    """
    if used >= steps(index):
        for following in range(index + 1, len(levels)):
            if levels[following] < level:
                break
            index, used = following, 0
            if steps(following) > 0:
                break
    return index, used + 1


CURVES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda t: t,
    "ease_in": lambda t: t**2,
    "ease_out": lambda t: 1 - (1 - t) ** 2,
    "ease_in_out": lambda t: (1 - math.cos(math.pi * t)) / 2,
}
"""How strengths go from one to another."""


def interpolated(strengths: tuple[float, float], span: tuple[float, float], count: int, curve: str) -> list[Keyframe]:
    """That many keyframes from one strength to another, evenly over a part of the run."""
    shares = [place / (count - 1) if count > 1 else 0.0 for place in range(count)]
    low, high = strengths
    return spread([low + (high - low) * CURVES[curve](share) for share in shares], span)


def spread(strengths: Sequence[float], span: tuple[float, float]) -> list[Keyframe]:
    """Keyframes of these strengths, evenly over a part of the run; only the first is sure of a step."""
    start, end = span
    last = max(1, len(strengths) - 1)
    return [
        Keyframe(float(strength), start + (end - start) * place / last, int(place == 0))
        for place, strength in enumerate(strengths)
    ]
