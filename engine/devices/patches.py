"""Changes of weights, put on while a model is in use: LoRA files and their like, in the order they were asked for.

A model's weights at rest are never touched. Patched weights are made anew from them, so taking a patch off gives back
the very same numbers.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.devices.deltas import Delta
from engine.devices.memory import is_out_of_memory
from engine.devices.rounding import rounded

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Patch:
    """One change of one weight, and how strongly it is wanted (negative: the opposite)."""

    delta: Delta
    strength: float = 1.0


Patches = Mapping[str, tuple[Patch, ...]]
"""Name of a weight -> its changes, the first applied first."""

NONE: Patches = {}


def joined(first: Patches, second: Patches) -> Patches:
    """Both sets of changes, the second applied after the first. Neither is altered."""
    return {name: (*first.get(name, ()), *second.get(name, ())) for name in (*first, *second)}


def patched(name: str, weight: Tensor, patches: tuple[Patch, ...], device: torch.device) -> Tensor:
    """The weight with its changes, computed in float32 on the device and rounded to the format the weight is stored in.

    A change that was made for another shape is left out with a warning, and so is one that makes another shape, unless
    it says by an attribute `reshapes` that it means to.
    """
    return rounded(changed(name, weight, patches, device), weight.dtype, name)


def changed(name: str, weight: Tensor, patches: tuple[Patch, ...], device: torch.device) -> Tensor:
    """As `patched`, in float32."""
    result = weight.to(device=device, dtype=torch.float32)
    for patch in patches:
        try:
            made = patch.delta.applied(result, patch.strength)
            if made.shape != weight.shape and not getattr(patch.delta, "reshapes", False):
                raise ValueError(f"it makes the shape {tuple(made.shape)}, which this network cannot use")
            result = made
        except (RuntimeError, ValueError, IndexError, ZeroDivisionError) as error:
            if is_out_of_memory(error):
                raise
            log.warning("a patch does not fit %s %s and is left out: %s", name, tuple(weight.shape), error)
    return result
