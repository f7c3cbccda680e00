"""Small functions that diffusion transformers share."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from comfy.rmsnorm import rms_norm
from compat.missing import missing

__all__ = ["pad_to_patch_size", "rms_norm"]


def pad_to_patch_size(img: Tensor, patch_size: Sequence[int] = (2, 2), padding_mode: str = "circular") -> Tensor:
    """A latent whose last axes are multiples of the patch's, filled up at the far end.

    Shapes: img [B, C, h, w] with two patch sizes, [B, C, t, h, w] with three.
    """
    pad: list[int] = []
    for axis in range(1, len(patch_size) + 1):
        pad += [0, -img.shape[-axis] % patch_size[-axis]]
    return torch.nn.functional.pad(img, tuple(pad), mode=padding_mode)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
