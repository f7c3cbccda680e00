"""Guidance whose negative side is brought in line with the positive one first: tangential damping, and CFG-Zero*.

Both look at what each side takes for noise, x − x₀: all that they do is the same at every scale, so that it does not
matter whether a network tells noise or velocity.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from engine.sampling.hooks import Answers, Hooks, is_one
from engine.steering.projected_guidance import dot

# What keeps a negative side without noise from 0 / 0. Source: the code of Fan et al.
ALMOST_NOTHING = 1e-8


def tangential() -> Hooks:
    """Leaves of the negative's noise what lies along the direction that both sides have most in common.

    Source: Kwon et al. 2025, arXiv 2503.18137 (TCFG).
    """
    return _aligned(damped)


def optimally_scaled() -> Hooks:
    """Makes the negative's noise as strong as brings it closest to the positive's.

    What the paper does besides, taking nothing away in the first steps, is left to noise levels that leave them out.
    Source: Fan et al. 2025, arXiv 2503.18886 (CFG-Zero*).
    """
    return _aligned(scaled)


def damped(negative: Tensor, positive: Tensor) -> Tensor:
    """The part of the first along the first singular vector of both. Shapes: both [B, …]."""
    # The first of two singular vectors is a turn of both rows into each other, by the angle that diagonalizes their
    # products: half the arc tangent, which is exact where the rows are nearly the same.
    of_positive, of_both, of_negative = dot(positive, positive), dot(positive, negative), dot(negative, negative)
    angle = 0.5 * torch.atan2(2.0 * of_both, of_positive - of_negative)
    common = angle.cos() * positive + angle.sin() * negative
    return dot(negative, common) / dot(common, common).clamp(min=torch.finfo(common.dtype).tiny) * common


def scaled(negative: Tensor, positive: Tensor) -> Tensor:
    """The multiple of the first that is closest to the second. Shapes: both [B, …]."""
    return dot(positive, negative) / (dot(negative, negative) + ALMOST_NOTHING) * negative


def _aligned(align: Callable[[Tensor, Tensor], Tensor]) -> Hooks:
    def before(answers: Answers) -> Answers:
        if is_one(answers.cfg):
            return answers
        aligned = align(answers.x - answers.negative, answers.x - answers.positive)
        return replace(answers, negative=answers.x - aligned)

    return Hooks(before=(before,))
