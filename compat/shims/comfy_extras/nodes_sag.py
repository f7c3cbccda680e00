"""ComfyUI's helpers of self-attention guidance. Source: node_behaviour.md 8; Hong et al. 2022, arXiv 2210.00939."""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

KERNEL = 9  # pixels of the blur's kernel


def gaussian_blur_2d(img: Tensor, kernel_size: int, sigma: float) -> Tensor:
    """A Gaussian blur, mirrored at the sides. Shapes: img [B, C, H, W]. Units: sigma in cells."""
    half = (kernel_size - 1) * 0.5
    bell = torch.exp(-0.5 * (torch.linspace(-half, half, kernel_size) / sigma) ** 2)
    bell = (bell / bell.sum()).to(img)
    channels, side = img.shape[-3], kernel_size // 2
    kernel = (bell[:, None] * bell[None]).expand(channels, 1, kernel_size, kernel_size)
    return conv2d(pad(img, [side] * 4, mode="reflect"), kernel, groups=channels)


def create_blur_map(x0: Tensor, attn: Tensor, sigma: float = 3.0, threshold: float = 1.0) -> Tensor:
    """A latent blurred where the model looks most.

    Shapes: x0 [B, C, h, w]; attn [B·heads, queries, keys] of the middle block, queries × keys = its cells.
    """
    batch, _, height, width = x0.shape
    cells = attn.shape[1]
    looked = attn.reshape(batch, -1, *attn.shape[1:]).mean(1).sum(1) > threshold
    ratio = 2 ** (math.ceil(math.sqrt(height * width / cells)) - 1).bit_length()
    small = (batch, 1, math.ceil(height / ratio), math.ceil(width / ratio))
    mask = interpolate(looked.reshape(small).to(x0.dtype), (height, width))
    return gaussian_blur_2d(x0, KERNEL, sigma) * mask + x0 * (1.0 - mask)
