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
    return Memory(reuse).hooks


@dataclass(frozen=True, eq=False)
class Question:
    """All that an answer depends on, but the latent and the time."""

    signs: tuple[int, ...]
    context: Tensor | None
    vector: Tensor | None
    hints: Any

    @classmethod
    def of(cls, given: Mapping[str, Any], signs: Sequence[int]) -> "Question":
        """A question by what the network is given."""
        hints = given["hints"] if "hints" in given else _outline(given.get("control"))
        return cls(tuple(signs), given.get("context"), given.get("y"), hints)

    def is_like(self, other: "Question") -> bool:
        """Whether the answer to the other, at another time, says something about the answer to this one."""
        is_same_text = _same(self.context, other.context) and _same(self.vector, other.vector)
        return self.signs == other.signs and self.hints == other.hints and is_same_text


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

    @property
    def hooks(self) -> Hooks:
        """What steps into runs by it."""
        return Hooks(around=self.around, starts=(self.start,), ends=(self.start,))

    def start(self) -> None:
        """A run begins, or is over: nothing was seen."""
        self.seen, self.step, self.before, self.expected, self.counts = {}, None, None, 0.0, [0, 0]

    def around(self, network: Network, given: Mapping[str, Any], signs: Sequence[int]) -> Tensor:
        """The network's answer, or a guess at it: what it is shown, changed as it changed the step before."""
        shown: Tensor = given["x"]
        question = Question.of(given, signs)
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


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and torch.equal(one, other)


def _outline(control: Any) -> Any:
    """Where a control that is computed already says something, and nothing of what it says."""
    if isinstance(control, Tensor):
        return control.shape
    if isinstance(control, Mapping):
        return {name: _outline(each) for name, each in control.items()}
    if isinstance(control, Sequence):
        return [_outline(each) for each in control]
    return None
