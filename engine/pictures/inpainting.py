"""What inpainting shows an autoencoder: pictures whose masked part is grey, and masks that fit them.

Shapes: pixels [B, H, W, C]; masks [M, 1, H, W]. Source: node_behaviour.md 1.2 and 3.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from engine.images import crop_to_multiple, resize_mask
from engine.shapes import repeated_to_batch


def fitted(pixels: Tensor, mask: Tensor, multiple: int) -> tuple[Tensor, Tensor]:
    """Pictures and their masks, both cut evenly to multiples of so many pixels; a mask may have any size."""
    masks = resize_mask(mask, pixels.shape[2], pixels.shape[1])
    return cut(pixels, multiple), crop_to_multiple(masks, multiple)


def cut(pixels: Tensor, multiple: int) -> Tensor:
    """Pictures cut evenly to multiples of so many pixels."""
    return crop_to_multiple(pixels.movedim(-1, 1), multiple).movedim(1, -1)


def greyed(pixels: Tensor, masks: Tensor) -> Tensor:
    """Pictures whose colours are grey where they are masked by a half or more; alpha stays."""
    kept = 1.0 - repeated_to_batch(masks, len(pixels)).round().movedim(1, -1)
    colours = (pixels[..., :3] - 0.5) * kept + 0.5
    return torch.cat([colours, pixels[..., 3:]], dim=-1)


def widened(masks: Tensor, side: int) -> Tensor:
    """Masks widened by a square of `side` pixels, about its half on each side; 0 leaves them as they are."""
    if side == 0:
        return masks
    # ComfyUI: an even square reaches one pixel further to the right and down.
    kernel, padding = torch.ones(1, 1, side, side), -(-(side - 1) // 2)
    wider = conv2d(masks.round(), kernel.to(masks), padding=padding).clamp(0, 1)
    return wider[..., : masks.shape[-2], : masks.shape[-1]]
