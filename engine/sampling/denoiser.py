"""A model as samplers see it, and a sampler as everyone else sees it.

A model is a function from (noisy x, σ) to clean x. A sampler is a generator: it yields a `Step` after it has looked at
each noise level, and returns the end. Whoever drives it shows previews, counts or stops; the sampler never hears of it.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Path:
    """How signal and noise are mixed on the way: x = alpha · clean + sigma · noise.

    Diffusion models keep the signal as it is (alpha 1, sigma up to what drowns it); flow models fade from one to the
    other (alpha = 1 − sigma). `start` is the highest sigma of a flow with any signal left to speak of.
    """

    flow: bool = False
    start: float = 1.0 - 1e-4

    def alpha(self, sigma: Tensor) -> Tensor:
        """How much signal is left at a noise level."""
        return 1.0 - sigma if self.flow else torch.ones_like(sigma)

    def log_snr(self, sigma: Tensor) -> Tensor:
        """λ = ln(alpha / sigma), in which diffusion's equations are nearly linear."""
        return sigma.logit().neg() if self.flow else sigma.log().neg()

    def sigma(self, log_snr: Tensor) -> Tensor:
        """The noise level of a λ."""
        return log_snr.neg().sigmoid() if self.flow else log_snr.neg().exp()

    def mixed(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """A clean latent with noise of a level on it."""
        return self.alpha(sigma) * clean + sigma * noise

    def started(self, sigmas: Tensor) -> Tensor:
        """The same noise levels, kept from the λ = −∞ of pure noise.

        Shapes: sigmas [S + 1].
        """
        if not self.flow or len(sigmas) == 0 or float(sigmas[0]) < self.start:
            return sigmas
        return torch.cat([sigmas.new_tensor([self.start]), sigmas[1:]])


VARIANCE_EXPLODING = Path()


@dataclass(frozen=True)
class Denoiser:
    """A guided model: what the clean latent is, given a noisy one.

    `both(x, sigma)` gives the guided answer and the unconditional one, which CFG++ samplers take their direction from.
    """

    both: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    path: Path = VARIANCE_EXPLODING

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The guided answer alone.

        Shapes: x [B, C, h, w]; sigma a scalar, on the CPU wherever x is.
        """
        return self.both(x, sigma)[0]


@dataclass(frozen=True)
class Step:
    """A sampler has looked at noise level `index` of its list: where it stands and what it sees."""

    index: int
    sigma: Tensor
    x: Tensor
    denoised: Tensor


Walk = Generator[Step, None, Tensor]

# Noise for the step from one level to another, of the latent's shape.
NoiseSource = Callable[[Tensor, Tensor], Tensor]


def silence(sigma: Tensor, following: Tensor) -> Tensor:
    """The noise source of a sampler that makes no noise: it must never be asked."""
    raise AssertionError("a step without noise asked for some")


def run(walk: Walk, on_step: Callable[[Step], None] | None = None) -> Tensor:
    """Drives a sampler to its end.

    Returns: the latent it ends with. What `on_step` raises stops it.
    """
    while True:
        try:
            step = next(walk)
        except StopIteration as end:
            result: Tensor = end.value
            return result
        if on_step is not None:
            on_step(step)


def direction(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """Where the noise points: dx/dσ. Source: Karras et al. 2022, arXiv 2206.00364, eq. 1."""
    return (x - denoised) / sigma


def ancestral(path: Path, sigma: Tensor, following: Tensor, eta: float) -> tuple[Tensor, Tensor, Tensor]:
    """A step to `following` as a longer step down and fresh noise to come back up.

    Returns: the level to step down to; the factor on x and the amount of noise that then make it `following`.
    Source: Karras et al.'s code for SDE-like steps; Song et al. 2020, arXiv 2010.02502, eq. 16 (eta 1 is DDPM).
    """
    one = torch.ones_like(sigma)
    if eta == 0 or float(following) == 0:
        return following, one, torch.zeros_like(sigma)
    if not path.flow:
        variance = following**2 * (sigma**2 - following**2) / sigma**2
        up = torch.minimum(following, eta * variance.sqrt())
        return (following**2 - up**2).sqrt(), one, up
    down = following * (1.0 + (following / sigma - 1.0) * eta)
    scale = path.alpha(following) / path.alpha(down)
    return down, scale, (following**2 - (down * scale) ** 2).clamp(min=0).sqrt()
