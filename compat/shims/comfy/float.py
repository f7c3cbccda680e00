"""Rounding to formats with few bits."""

from typing import Any

import torch
from torch import Tensor

from compat.missing import missing
from engine.devices.rounding import MANTISSA, by_chance


def stochastic_rounding(value: Tensor, dtype: torch.dtype, seed: int = 0) -> Tensor:
    """A tensor in another format; in 8 bits it is rounded up or down by chance, so that the mean is kept.

    Shapes: any. The same seed rounds in the same way.
    """
    return by_chance(value, dtype, seed) if dtype in MANTISSA else value.to(dtype)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
