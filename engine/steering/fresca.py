"""FreSca: guidance with its coarse and its fine part scaled apart.

Source: Huang et al. 2025, arXiv 2504.02154, and its code for where coarse ends.
"""

import logging
from dataclasses import replace

from torch import Tensor

from engine.sampling.hooks import Answers, Hooks, is_one
from engine.steering.freeu import low_frequencies_scaled

log = logging.getLogger(__name__)


def scaling(low: float, high: float, cutoff: int) -> Hooks:
    """Scales the step from negative to positive by `low` in its lowest frequencies and by `high` in all others.

    `cutoff` is how many frequencies on each side of the lowest are low. Nothing is changed where both are 1. The log is
    warned, once a run, where a latent is so small that all its frequencies are low.
    """
    if low == 1.0 and high == 1.0:
        return Hooks()
    warned: set[str] = set()

    def before(answers: Answers) -> Answers:
        if is_one(answers.cfg):
            return answers
        step = answers.positive - answers.negative
        height, width = step.shape[-2:]
        if low != high and has_no_high(height, width, cutoff) and not warned:
            warned.add("has no effect")
            log.warning(
                "FreSca: scale_high %g has no effect on a latent of %d×%d cells, because a freq_cutoff of %d makes all "
                "its frequencies low ones; take a freq_cutoff below %d, or a larger picture",
                high, height, width, cutoff, max(height, width) // 2,
            )  # fmt: skip
        return replace(answers, positive=answers.negative + by_frequency(step, low, high, cutoff))

    return Hooks(before=(before,), starts=(warned.clear,))


def has_no_high(height: int, width: int, cutoff: int) -> bool:
    """Whether all frequencies of a picture are low ones (where a side is odd, all but the very highest)."""
    return min(cutoff, height // 2, width // 2) == max(height, width) // 2


def by_frequency(x: Tensor, low: float, high: float, cutoff: int) -> Tensor:
    """Pictures with their low and their other frequencies times a number each. Shapes: x [B, C, H, W]."""
    fine = low_frequencies_scaled(x, 0.0, min(cutoff, x.shape[-2] // 2, x.shape[-1] // 2))
    return low * (x - fine) + high * fine
