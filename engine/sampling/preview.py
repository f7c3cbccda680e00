"""A quick look at a latent on its way: a small JPEG without the autoencoder."""

import io

import torch
from PIL import Image
from torch import Tensor

from engine.models.latent_format import LatentFormat
from engine.shapes import CELL

LARGEST = 512
QUALITY = 85


def preview(latent_format: LatentFormat, denoised: Tensor, largest: int = LARGEST) -> bytes:
    """The first latent of a batch as a JPEG no larger than its picture, nor than `largest` on any side.

    Shapes: denoised [B, C, h, w] as samplers see it.
    """
    first = denoised[:1].float().cpu()
    colours = latent_format.preview(first)
    pixels = (guessed_colours(first) if colours is None else colours)[0]
    image = Image.fromarray((pixels * 255).round().to(torch.uint8).numpy(), "RGB")
    scale = min(CELL, largest / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.BILINEAR).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def guessed_colours(latent: Tensor) -> Tensor:
    """Colours for families whose own nobody has measured: the first channels as they are, grey around their mean.

    Shapes: latent [B, C, h, w]. Returns: [B, h, w, 3] of 0 … 1.
    """
    channels = latent[:, :3]
    channels = torch.cat([channels, channels[:, -1:].expand(-1, 3 - channels.shape[1], -1, -1)], dim=1)
    centred = torch.nan_to_num(channels - channels.mean(dim=(2, 3), keepdim=True))
    spread = centred.std(dim=(1, 2, 3), keepdim=True, correction=0).clamp(min=1e-6)
    # Six standard deviations from black to white.
    return (centred / (6 * spread) + 0.5).clamp(0, 1).movedim(1, -1)
