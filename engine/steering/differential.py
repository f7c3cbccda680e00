"""Differential diffusion: the grey of a mask says when a place may change, not how much.

Source: Levin and Fried 2023, arXiv 2306.00950, section 3.
"""

from torch import Tensor

from engine.sampling.hooks import Hooks, Level


def differing(strength: float = 1.0) -> Hooks:
    """Opens the mask step by step, white first; below strength 1 mixed with the mask as it is."""
    return Hooks(redraw_mask=lambda level, mask: opened(level, mask, strength))


def opened(level: Level, mask: Tensor, strength: float = 1.0) -> Tensor:
    """The mask of a step: open where it is above the share of the run's time that is left. Shapes: mask any."""
    table, sigmas = level.table, level.sigmas
    first, last = float(sigmas[0]), max(float(sigmas[-1]), table.sigma_min)
    start, end, now = (float(table.timestep(sigmas.new_tensor(each))) for each in (first, last, float(level.sigma)))
    left = (now - end) / (start - end) if start != end else 1.0
    binary = (mask >= left).to(mask.dtype)
    return strength * binary + (1.0 - strength) * mask if strength < 1.0 else binary
