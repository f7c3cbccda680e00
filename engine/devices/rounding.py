"""Rounding to number formats with few bits, where always rounding to the nearest would lose every small change."""

import zlib

import torch
from torch import Tensor

MANTISSA = {torch.float8_e4m3fn: 3, torch.float8_e5m2: 2}
"""The 8-bit formats, and how many bits after the leading one each has."""


def rounded(value: Tensor, dtype: torch.dtype, key: str) -> Tensor:
    """A tensor in another format; in 8 bits it is rounded up or down by chance, so that the mean is kept.

    The same key rounds in the same way. Source: node_behaviour.md B.3 (the seed is the CRC32 of a weight's name).
    """
    return by_chance(value, dtype, zlib.crc32(key.encode())) if dtype in MANTISSA else value.to(dtype)


def by_chance(value: Tensor, dtype: torch.dtype, seed: int) -> Tensor:
    """A tensor in an 8-bit format, rounded up as often as it is near the upper neighbour."""
    generator = torch.Generator(device=value.device).manual_seed(seed)
    value = value.float()
    info = torch.finfo(dtype)
    # Below the smallest normal number the steps stay as they are there.
    exponent = value.abs().clamp(min=info.smallest_normal).log2().floor()
    step = torch.exp2(exponent - MANTISSA[dtype])
    chance = torch.rand(value.shape, generator=generator, device=value.device, dtype=torch.float32)
    magnitude = (value.abs() / step + chance).floor() * step
    return (magnitude.clamp(max=info.max) * value.sign()).to(dtype)
