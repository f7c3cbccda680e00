"""Where random numbers come from, so that the same seed gives the same picture everywhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.sampling.denoiser import NoiseSource

SEEDS = 2**64


def initial(latent: Tensor, seed: int, batch_index: Sequence[int] | None = None) -> Tensor:
    """The noise a picture begins as. Always drawn on the CPU, where every machine draws the same.

    `batch_index` names the place each latent had in its original batch, so that one of many can be drawn again.

    Shapes: latent [B, …] (for its shape and dtype only); batch_index B numbers, each 0 or more.
    Returns: the latent's shape, on the CPU.
    """
    generator = seeded(seed)
    if batch_index is None:
        return _normal(latent.shape, latent.dtype, generator)
    if len(batch_index) != len(latent) or min(batch_index, default=0) < 0:
        raise SamplingError(
            f"a batch of {len(latent)} latents needs as many batch indices, 0 or more, but has {list(batch_index)}"
        )
    one = (1, *latent.shape[1:])
    drawn = [_normal(one, latent.dtype, generator) for _ in range(max(batch_index, default=-1) + 1)]
    return torch.cat([drawn[index] for index in batch_index])


def fresh(like: Tensor, seed: int) -> NoiseSource:
    """New noise for every step, drawn on the CPU.

    The seed is one higher than the initial noise's; with the same one the first step would draw that again.
    """
    generator = seeded(seed + 1)

    def draw(sigma: Tensor, following: Tensor) -> Tensor:
        return _normal(like.shape, like.dtype, generator).to(like.device)

    return draw


def brownian(like: Tensor, sigmas: Tensor, seed: int, on_device: bool = False) -> NoiseSource:
    """Noise of one Brownian path, so that finer steps see the same path in more detail.

    Shapes: sigmas [S + 1], the levels of the run. Built on the CPU unless `on_device`.
    Source: Kidger et al. 2021, arXiv 2105.13493 (torchsde).
    """
    start = torch.zeros_like(like, device=None if on_device else "cpu")
    # torchsde rounds the ends to its tolerance of 1e-6 and complains of times beyond them.
    low, high = round(float(sigmas[sigmas > 0].min()), 6), round(float(sigmas.max()), 6)
    if low == high:
        # One level above 0: there is no path between levels, and nobody draws.
        return fresh(like, seed)
    import torchsde  # here, because it imports scipy, and few samplers draw such noise

    tree = torchsde.BrownianTree(low, start, high, entropy=seed % SEEDS)

    def draw(sigma: Tensor, following: Tensor) -> Tensor:
        first, last = sorted(min(max(float(level), low), high) for level in (sigma, following))
        increment = tree(first, last).to(like.device)
        return increment * (following - sigma).sign() / (following - sigma).abs().sqrt()

    return draw


@contextmanager
def continued(noise: Tensor, seed: int) -> Iterator[None]:
    """Lets patches of a network draw from torch's own generator, which goes on where the initial noise's ended.

    ComfyUI: it draws the noise from that generator, so that what patches draw depends on the seed. Afterwards it is as
    it was. Shapes: noise [B, C, h, w], for its shape and dtype.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed % SEEDS)
        torch.randn(noise.shape, dtype=noise.dtype)
        yield


def seeded(seed: int) -> torch.Generator:
    """A generator of its own; nobody else's random numbers are disturbed."""
    return torch.Generator().manual_seed(seed % SEEDS)


def _normal(shape: Sequence[int], dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    return torch.randn(tuple(shape), dtype=dtype, generator=generator)
