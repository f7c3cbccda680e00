"""FreeU: the decoder of a UNet listens more to what it made, and less to the coarse part of what it is reminded of.

Source: Si et al. 2023, arXiv 2309.11497, and its code for the numbers of SD 1, 2 and XL.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from engine.sampling.hooks import Hooks

BOX = 1  # How many frequencies on each side of the lowest are scaled.

Weigh = Callable[[Tensor, float], Tensor | float]


def constant(h: Tensor, strength: float) -> Tensor | float:
    """The first version: the same everywhere."""
    return strength


def by_structure(h: Tensor, strength: float) -> Tensor | float:
    """The second version: from 1, where the mean of all channels is lowest, to the strength where it is highest.

    Shapes: h [B, C, H, W]. Returns: [B, 1, H, W].
    """
    mean = h.mean(dim=1, keepdim=True)
    low, high = mean.amin(dim=(2, 3), keepdim=True), mean.amax(dim=(2, 3), keepdim=True)
    # A picture that is the same everywhere has no structure; 0 / 0 must not become its picture.
    return (strength - 1.0) * (mean - low) / (high - low).clamp(min=torch.finfo(mean.dtype).tiny) + 1.0


def reweighing(
    model_channels: int, deep: tuple[float, float], shallow: tuple[float, float], weigh: Weigh = constant
) -> Hooks:
    """Changes the decoder where it is 4 (`deep`) and 2 (`shallow`) times as wide as the UNet's first layer.

    Each is the strength of half of the decoder's channels, and the factor on the skip's lowest frequencies.
    """
    scales = {model_channels * 4: deep, model_channels * 2: shallow}

    def patch(h: Tensor, skip: Tensor, options: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        scale = scales.get(h.shape[1])
        if scale is None:
            return h, skip
        half = h.shape[1] // 2
        h = torch.cat([h[:, :half] * weigh(h, scale[0]), h[:, half:]], dim=1)
        return h, low_frequencies_scaled(skip, scale[1])

    return Hooks(patches={"patches": {"output_block_patch": [patch]}})


def low_frequencies_scaled(x: Tensor, factor: float, box: int = BOX) -> Tensor:
    """Pictures with their lowest frequencies times a number. Shapes: x [B, C, H, W]."""
    spectrum = torch.fft.fftshift(torch.fft.fftn(x.float(), dim=(-2, -1)), dim=(-2, -1))
    row, column = x.shape[-2] // 2, x.shape[-1] // 2
    spectrum[..., max(row - box, 0) : row + box, max(column - box, 0) : column + box] *= factor
    back: Tensor = torch.fft.ifftn(torch.fft.ifftshift(spectrum, dim=(-2, -1)), dim=(-2, -1)).real
    return back.to(x.dtype)
