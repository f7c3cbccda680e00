"""The exact denoiser of a Gaussian N(μ, s²): everything about it is known in closed form."""

import torch
from torch import Tensor

from engine.sampling.denoiser import Denoiser, run
from engine.sampling.samplers import sampler
from engine.sampling.table import SigmaTable

MEAN = torch.tensor([0.5, -0.3, 0.1, 0.0]).view(1, 4, 1, 1)
DEVIATION = 0.6


def denoised(x: Tensor, sigma: Tensor, mean: Tensor = MEAN) -> Tensor:
    """E[clean | x] by Bayes' rule."""
    return (x * DEVIATION**2 + mean.to(x.dtype) * sigma**2) / (DEVIATION**2 + sigma**2)


def flowed(x: Tensor, sigma: float, following: float) -> Tensor:
    """Where the probability flow takes x: deviations from the mean shrink with √(s² + σ²)."""
    share = ((DEVIATION**2 + following**2) / (DEVIATION**2 + sigma**2)) ** 0.5
    return MEAN.to(x.dtype) + (x - MEAN.to(x.dtype)) * share


def unguided(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """The denoiser without guidance: both answers are the same."""
    answer = denoised(x, sigma)
    return answer, answer


def walked(name: str, x: Tensor, sigmas: Tensor, both=unguided, seed: int = 1234567, **options) -> Tensor:
    """The end of a sampler's walk on the Gaussian."""
    walk = sampler(name).walk(Denoiser(both), x, sigmas, seed=seed, table=SigmaTable.from_betas(), options=options)
    return run(walk)
