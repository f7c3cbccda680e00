"""Guidance by more sides than two: formulas over the answers to each (engine.sampling.hooks.Rule)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.conditioning import Condition
from engine.sampling.hooks import NEGATIVE, POSITIVE, Answers, Hooks, is_one, seen_as

THIRD = 2


@dataclass(frozen=True)
class DualCfg:
    """Two wanted sides and a negative: the first is pushed away from the second, that from the negative.

    Sides: the first wanted one, the negative, the second wanted one. `cfg` is between the wanted ones, `cfg_negative`
    between the second and the negative. `is_nested`: the negative pushes what the wanted ones make, not the second.
    With n, m, p for negative, second and first: n + cfg_negative·(m − n) + cfg·(p − m); nested
    n + cfg_negative·(m + cfg·(p − m) − n).

    Source: Brooks et al. 2023, arXiv 2211.09800, eq. 3 (InstructPix2Pix).
    """

    cfg: float
    cfg_negative: float
    is_nested: bool = False

    def asks(self, always_both: bool, is_hooked: bool) -> Sequence[int]:
        """Sides whose answers cancel out are not asked about; those that hooks are shown as the positive always are."""
        if always_both or not is_one(self.cfg_negative):
            return (POSITIVE, NEGATIVE, THIRD)
        if is_one(self.cfg) and not self.is_nested and not is_hooked:
            return (POSITIVE,)
        return (POSITIVE, THIRD)

    def guided(self, answers: Answers, hooks: Hooks) -> tuple[Tensor, Tensor]:
        """The inner of the two pushes is what hooks may change."""
        first, negative, second = answers.sides
        if self.is_nested:
            inner = hooks.pushed(seen_as(answers, POSITIVE, THIRD, self.cfg))
            return negative + self.cfg_negative * (inner - negative), second
        inner = hooks.pushed(seen_as(answers, THIRD, NEGATIVE, self.cfg_negative))
        return inner + self.cfg * (first - second), negative


@dataclass(frozen=True)
class PerpNeg:
    """Away from as much of the negative as is at right angles to the positive. Sides: positive, negative, empty."""

    cfg: float
    negative_scale: float = 1.0

    def asks(self, always_both: bool, is_hooked: bool) -> Sequence[int]:
        """All sides, always."""
        return (POSITIVE, NEGATIVE, THIRD)

    def guided(self, answers: Answers, hooks: Hooks) -> tuple[Tensor, Tensor]:
        """Hooks may change the result."""
        positive, negative, empty = answers.sides
        guided = across(positive, negative, empty, self.cfg, self.negative_scale)
        return hooks.finished(answers, guided), negative


def across(positive: Tensor, negative: Tensor, empty: Tensor, cfg: float, negative_scale: float) -> Tensor:
    """Guidance away from the part of the negative that is at right angles to the positive, both as seen from empty.

    Shapes: all [B, C, h, w]; the angle is that of the whole batch.
    Source: Armandpour et al. 2023, arXiv 2304.04968, eq. 5.
    """
    towards, away = positive - empty, negative - empty
    # Where the positive asks for nothing, nothing can contradict it; the tiny number keeps 0 from becoming 0 / 0.
    shared = (away * towards).sum() / (towards.norm() ** 2).clamp(min=torch.finfo(towards.dtype).tiny)
    perpendicular = away - shared * towards
    return empty + cfg * (towards - negative_scale * perpendicular)


def away_across(empty: Sequence[Condition], negative_scale: float) -> Callable[[Answers], Tensor]:
    """The same formula as Hooks.combine, asking about the empty conditions by itself."""

    def combine(answers: Answers) -> Tensor:
        asked = answers.ask(empty)
        return across(answers.positive, answers.negative, asked, answers.cfg, negative_scale)

    return combine
