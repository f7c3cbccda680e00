"""Rounding to formats with few bits."""

from typing import Any

import torch
from torch import Tensor

from compat.missing import missing

EIGHT_BITS = (torch.float8_e4m3fn, torch.float8_e5m2)


def stochastic_rounding(value: Tensor, dtype: torch.dtype, seed: int = 0) -> Tensor:
    """A tensor in another format; in 8 bits it is rounded up or down by chance, so that the mean is kept.

    Shapes: any. The same seed rounds in the same way.
    """
    if dtype not in EIGHT_BITS:
        return value.to(dtype)
    generator = torch.Generator(device=value.device).manual_seed(seed)
    return _rounded(value.float(), dtype, generator)


def _rounded(value: Tensor, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """Adds a random share of the step between neighbours, then cuts off towards zero."""
    info = torch.finfo(dtype)
    mantissa = 3 if dtype == torch.float8_e4m3fn else 2
    # Below the smallest normal number the steps stay as they are there.
    exponent = value.abs().clamp(min=info.smallest_normal).log2().floor()
    step = torch.exp2(exponent - mantissa)
    chance = torch.rand(value.shape, generator=generator, device=value.device, dtype=torch.float32)
    magnitude = (value.abs() / step + chance).floor() * step
    return (magnitude.clamp(max=info.max) * value.sign()).to(dtype)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
