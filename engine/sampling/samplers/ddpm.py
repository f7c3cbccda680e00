"""Samplers that draw from what the model believes, instead of following its flow."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.sampling.denoiser import Denoiser, NoiseSource, Step, Walk, direction


def ddpm(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource) -> Walk:
    """The chain diffusion models were first sampled with: every step draws from the posterior.

    Source: Ho et al. 2020, arXiv 2006.11239, algorithm 2, on x / √(1 + σ²) with ᾱ = 1 / (1 + σ²).
    """
    for i in range(len(sigmas) - 1):
        sigma, following = sigmas[i], sigmas[i + 1]
        denoised = denoise(x, sigma)
        yield Step(i, sigma, x, denoised)
        eps = direction(x, sigma, denoised)
        kept, kept_after = 1 / (1 + sigma**2), 1 / (1 + following**2)
        alpha = kept / kept_after
        mean = (x * kept.sqrt() - (1 - alpha) * eps / (1 - kept).sqrt()) / alpha.sqrt()
        if following > 0:
            mean = mean + ((1 - alpha) * (1 - kept_after) / (1 - kept)).sqrt() * noise(sigma, following)
        x = mean / kept_after.sqrt()
    return x


@dataclass(frozen=True)
class Growth:
    """How a latent grows on its way: after each look at it a little, until its sides are so many times as long.

    `resized(latent, width, height)` brings it to a size. `steps` is after how many looks; below 1, or above as many as
    there are, after every look but the last. The picture that grew is noised anew, so that the next look fills in what
    a larger one shows. The sides grow evenly; published is only that they grow by and by.
    """

    ratio: float
    resized: Callable[[Tensor, int, int], Tensor]
    steps: int = -1

    def grown(self, clean: Tensor, looks: int, planned: int, size: tuple[int, int]) -> Tensor:
        """A clean latent after so many looks of those planned. Units: size is that of the first, height and width."""
        # The only look of a run has to do as well.
        last = max(1, planned - 1)
        last = min(self.steps, last) if self.steps > 0 else last
        if self.ratio == 1.0 or looks > last:
            return clean
        scale = 1.0 + (self.ratio - 1.0) * looks / last
        height, width = (max(1, round(side * scale)) for side in size)
        return self.resized(clean, width, height)


def lcm(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, growth: Growth | None = None) -> Walk:
    """Jumps to the clean picture and noises it anew, for models trained to see it in one step.

    Source: Luo et al. 2023, arXiv 2310.04378, algorithm 3.
    """
    planned, size = len(sigmas) - 1, (x.shape[-2], x.shape[-1])
    for i in range(planned):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        x = denoised if growth is None else growth.grown(denoised, i + 1, planned, size)
        if sigmas[i + 1] > 0:
            x = denoise.path.mixed(x, _shaped(noise, sigmas[i], sigmas[i + 1], x), sigmas[i + 1])
    return x


def _shaped(noise: NoiseSource, sigma: Tensor, following: Tensor, like: Tensor) -> Tensor:
    """Noise of a latent's shape, put together of as many draws as that takes."""
    drawn = noise(sigma, following)
    if drawn.shape == like.shape:
        return drawn
    more = [drawn, *(noise(sigma, following) for _ in range((like.numel() - 1) // drawn.numel()))]
    return torch.cat([each.flatten() for each in more])[: like.numel()].reshape(like.shape)
