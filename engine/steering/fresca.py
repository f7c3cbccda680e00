"""FreSca: guidance with its coarse and its fine part scaled apart.

Source: Huang et al. 2025, arXiv 2504.02154, and its code for where coarse ends.
"""

from dataclasses import replace

from torch import Tensor

from engine.sampling.hooks import Answers, Hooks, is_one
from engine.steering.freeu import low_frequencies_scaled


def scaling(low: float, high: float, cutoff: int) -> Hooks:
    """Scales the step from negative to positive by `low` in its lowest frequencies and by `high` in all others.

    `cutoff` is how many frequencies on each side of the lowest are low. Nothing is changed where both are 1.
    """
    if low == 1.0 and high == 1.0:
        return Hooks()

    def before(answers: Answers) -> Answers:
        if is_one(answers.cfg):
            return answers
        step = answers.positive - answers.negative
        return replace(answers, positive=answers.negative + by_frequency(step, low, high, cutoff))

    return Hooks(before=(before,))


def by_frequency(x: Tensor, low: float, high: float, cutoff: int) -> Tensor:
    """Pictures with their low and their other frequencies times a number each. Shapes: x [B, C, H, W]."""
    fine = low_frequencies_scaled(x, 0.0, min(cutoff, x.shape[-2] // 2, x.shape[-1] // 2))
    return low * (x - fine) + high * fine
