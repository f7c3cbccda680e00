"""Extended reverse-time SDEs: solvers for any amount of noise on the way (Cui et al. 2023, arXiv 2309.06169)."""

from collections.abc import Callable

import torch
from torch import Tensor

from engine.sampling.denoiser import Denoiser, NoiseSource, Step, Walk

# How the paper integrates what has no closed form (its appendix B.3).
INTEGRATION_POINTS = 200


def er_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    *,
    s_noise: float = 1.0,
    scale: Callable[[Tensor], Tensor] | None = None,
    max_stage: int = 3,
) -> Walk:
    """One look a step and up to two changes before it, with the noise the paper found best.

    `scale` is the paper's φ, which sets the noise; by default its ER-SDE 5.

    Source: Cui et al. 2023, arXiv 2309.06169, algorithm 1 to 3 and eq. A.4 (σ / alpha in place of σ).
    """
    path = denoise.path
    sigmas = path.started(sigmas)
    phi = scale or er_sde_5
    levels = sigmas / path.alpha(sigmas)
    previous: Tensor | None = None
    slope: Tensor | None = None
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        here, after, alpha = levels[i], levels[i + 1], path.alpha(sigmas[i + 1])
        kept = phi(after) / phi(here)
        x = alpha / path.alpha(sigmas[i]) * kept * x + alpha * (1 - kept) * denoised
        if max_stage >= 2 and previous is not None:
            flat, tilted = _integrals(phi, here, after)
            last = slope
            slope = (denoised - previous) / (here - levels[i - 1])
            x = x + alpha * (after - here + flat * phi(after)) * slope
            if max_stage >= 3 and last is not None:
                curve = (slope - last) / ((here - levels[i - 2]) / 2)
                x = x + alpha * ((after - here) ** 2 / 2 + tilted * phi(after)) * curve
        if s_noise > 0:
            amount = (after**2 - here**2 * kept**2).clamp(min=0).sqrt()
            x = x + alpha * amount * s_noise * noise(sigmas[i], sigmas[i + 1])
        previous = denoised
    return x


def er_sde_5(level: Tensor) -> Tensor:
    """φ of the paper's ER-SDE 5. Source: Cui et al. 2023, arXiv 2309.06169, table 1."""
    return level * ((level**0.3).exp() + 10.0)


def reverse_time_sde(level: Tensor, eta: float = 1.0) -> Tensor:
    """φ of the reverse-time SDE, with so much of its variance: 1 is the ordinary one, 0 the probability flow.

    Source: Cui et al. 2023, section 3.2 (h² = eta · g² makes φ a power).
    """
    return level ** (1.0 + eta)


def flow(level: Tensor) -> Tensor:
    """φ of the probability flow: no noise at all. Source: Cui et al. 2023, section 3.2."""
    return level


def _integrals(phi: Callable[[Tensor], Tensor], here: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """∫ 1/φ and ∫ (λ − λ_here)/φ over the step, by rectangles from its far end as in the paper's code."""
    width = (here - after) / INTEGRATION_POINTS
    places = after + torch.arange(INTEGRATION_POINTS, device=here.device) * width
    inverse = 1 / phi(places)
    return inverse.sum() * width, ((places - here) * inverse).sum() * width
