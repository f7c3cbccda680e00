"""EasyCache: steps in which a network would hardly say anything new are not asked, but guessed from the step before.

Source: Zhou et al. 2025, arXiv 2507.02860, algorithm 1, and its code (github.com/H-EmbodVis/EasyCache) for which steps
the speed of change is taken from.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from engine.sampling.hooks import Hooks, Network

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reuse:
    """When a network's change to what it is shown may stand for the next step's.

    `threshold` is how much its answers may be expected to change meanwhile, as a share of their size. The first and the
    last step that it may be used in are between two times of the network (`highest` and `lowest`, included).
    """

    threshold: float
    highest: float
    lowest: float
    is_told: bool = False


def reusing(reuse: Reuse) -> Hooks:
    """Asks the network only when its answers are expected to have changed; a threshold of 0 changes nothing."""
    if reuse.threshold <= 0.0:
        return Hooks()
    memory = Memory(reuse)
    return Hooks(around=memory.around, starts=(memory.start,))


@dataclass(frozen=True, eq=False)
class Question:
    """All that an answer depends on, but the latent and the time."""

    signs: tuple[int, ...]
    given: Mapping[str, Any]

    def is_like(self, other: "Question") -> bool:
        """Whether the answer to the other, at another time, says something about the answer to this one."""
        names = {*self.given, *other.given}
        return self.signs == other.signs and all(_same(self.given.get(each), other.given.get(each)) for each in names)


@dataclass(eq=False)
class Seen:
    """What a question was answered with when the network was last asked, and how fast that changed."""

    question: Question
    shown: Tensor
    answer: Tensor
    speed: Tensor | None = None

    @property
    def change(self) -> Tensor:
        """What the network made of what it was shown."""
        return self.answer - _visible(self.shown, self.answer)


@dataclass(eq=False)
class Step:
    """One time of the network: how often it was asked at it, and whether answers are guessed there."""

    time: float
    asked: int = 0
    is_guessed: bool = False


@dataclass(eq=False)
class Memory:
    """What was seen in a run so far, by the place of the question among those of its step."""

    reuse: Reuse
    seen: dict[int, Seen] = field(default_factory=dict)
    step: Step | None = None
    before: Tensor | None = None
    expected: Tensor | float = 0.0
    counts: list[int] = field(default_factory=lambda: [0, 0])

    def start(self) -> None:
        """A run begins: nothing was seen."""
        self.seen, self.step, self.before, self.expected, self.counts = {}, None, None, 0.0, [0, 0]

    def around(self, network: Network, given: Mapping[str, Any], signs: Sequence[int]) -> Tensor:
        """The network's answer, or a guess at it: what it is shown, changed as it changed the step before."""
        shown: Tensor = given["x"]
        question = Question(tuple(signs), {name: given.get(name) for name in ("context", "y", "control")})
        step = self._step(float(given["timesteps"][0]))
        place, step.asked = step.asked, step.asked + 1
        last = self.seen.get(place)
        if last is not None and (last.shown.shape != shown.shape or not last.question.is_like(question)):
            last = None
        if place == 0:
            step.is_guessed = last is not None and self._is_worth_guessing(last, shown, step.time)
            self.before = shown
            self._tell(step)
        if step.is_guessed and last is not None:
            return _visible(shown, last.answer) + last.change
        answer = network(**given)
        self.seen[place] = Seen(question, shown, answer, _speed(last, shown, answer))
        return answer

    def _step(self, time: float) -> Step:
        if self.step is None or self.step.time != time:
            self.step = Step(time)
        return self.step

    def _is_worth_guessing(self, last: Seen, shown: Tensor, time: float) -> bool:
        """Whether the answers have hardly changed since the network was asked, as far as can be told from its input."""
        is_time = self.reuse.lowest <= time <= self.reuse.highest
        if is_time and last.speed is not None and self.before is not None and self.before.shape == shown.shape:
            size = last.answer.float().abs().mean()
            self.expected = self.expected + last.speed * _difference(shown, self.before) / size
            # A comparison with what is no number is false, as it should be.
            if bool(torch.as_tensor(self.expected) < self.reuse.threshold):
                return True
        self.expected = 0.0
        return False

    def _tell(self, step: Step) -> None:
        self.counts[step.is_guessed] += 1
        if self.reuse.is_told:
            asked, guessed = self.counts
            what = "guessed" if step.is_guessed else "asked"
            log.info(
                "EasyCache: at time %.4g the model is %s; %d of %d steps guessed",
                step.time, what, guessed, asked + guessed,
            )  # fmt: skip


def _speed(last: Seen | None, shown: Tensor, answer: Tensor) -> Tensor | None:
    """By how much answers change where what is shown changes by one."""
    if last is None:
        return None
    return _difference(answer, last.answer) / _difference(shown, last.shown)


def _difference(x: Tensor, y: Tensor) -> Tensor:
    return (x.float() - y.float()).abs().mean()


def _visible(shown: Tensor, answer: Tensor) -> Tensor:
    """What is shown of the latent itself, without the further channels that some networks are shown."""
    return shown[:, : answer.shape[1]]


def _same(one: Any, other: Any) -> bool:
    """Whether texts are the same, and other things there or not there alike."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and torch.equal(one, other)
    return (one is None) is (other is None)
