"""Second-order samplers that look twice on the way from one noise level to the next."""

import torch
from torch import Tensor

from engine.sampling.denoiser import Denoiser, NoiseSource, Step, Walk, ancestral, direction
from engine.sampling.samplers.euler import NO_CHURN, Churn


def heun(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, churn: Churn = NO_CHURN, noise: NoiseSource | None = None
) -> Walk:
    """A trial step, and then the mean of the slopes at both its ends.

    Source: Karras et al. 2022, arXiv 2206.00364, algorithm 2.
    """
    for i in range(len(sigmas) - 1):
        x, sigma = churn.put_back(x, sigmas, i, noise)
        following = sigmas[i + 1]
        denoised = denoise(x, sigma)
        yield Step(i, sigma, x, denoised)
        slope = direction(x, sigma, denoised)
        if following > 0:
            trial = x + slope * (following - sigma)
            slope = (slope + direction(trial, following, denoise(trial, following))) / 2
        x = x + slope * (following - sigma)
    return x


def heunpp2(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, churn: Churn = NO_CHURN, noise: NoiseSource | None = None
) -> Walk:
    """Heun's step with slopes of up to two levels ahead, weighed by how noisy those still are.

    Source: Carzit's sd-webui-samplers-scheduler (MIT).
    """
    for i in range(len(sigmas) - 1):
        x, sigma = churn.put_back(x, sigmas, i, noise)
        denoised = denoise(x, sigma)
        yield Step(i, sigma, x, denoised)
        slopes, trial, level = [direction(x, sigma, denoised)], x, sigma
        ahead = [s for s in sigmas[i + 1 : i + 3] if s > sigmas[-1]]
        for following in ahead:
            trial = trial + slopes[-1] * (following - level)
            slopes.append(direction(trial, following, denoise(trial, following)))
            level = following
        weights = [following / (len(slopes) * sigmas[0]) for following in ahead]
        weights = [1 - sum(weights, sigma.new_zeros(())), *weights]
        slope = torch.stack([w * s for w, s in zip(weights, slopes, strict=True)]).sum(0)
        x = x + slope * (sigmas[i + 1] - sigma)
    return x


def dpm_2(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, churn: Churn = NO_CHURN, noise: NoiseSource | None = None
) -> Walk:
    """A trial step half-way in log σ, and then the slope found there.

    Source: Lu et al. 2022, arXiv 2206.00927 (DPM-Solver-2), in the form of Karras et al.'s k-diffusion.
    """
    for i in range(len(sigmas) - 1):
        x, sigma = churn.put_back(x, sigmas, i, noise)
        denoised = denoise(x, sigma)
        yield Step(i, sigma, x, denoised)
        x = _through_middle(denoise, x, denoised, sigma, sigmas[i + 1])
    return x


def dpm_2_ancestral(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 1.0, s_noise: float = 1.0
) -> Walk:
    """The step of `dpm_2` too far down, and fresh noise to come back up.

    Source: Karras et al.'s k-diffusion.
    """
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        down, scale, up = ancestral(denoise.path, sigmas[i], sigmas[i + 1], eta)
        x = _through_middle(denoise, x, denoised, sigmas[i], down)
        if down > 0 and eta > 0:
            x = scale * x + noise(sigmas[i], sigmas[i + 1]) * s_noise * up
    return x


def _through_middle(denoise: Denoiser, x: Tensor, denoised: Tensor, sigma: Tensor, down: Tensor) -> Tensor:
    slope = direction(x, sigma, denoised)
    if down > 0:
        middle = (sigma.log() + down.log()).div(2).exp()
        trial = x + slope * (middle - sigma)
        slope = direction(trial, middle, denoise(trial, middle))
    return x + slope * (down - sigma)
