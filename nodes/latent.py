"""Nodes that make and change latents. Pixel sizes are divided by 8, whatever the autoencoder."""

from typing import Annotated

import torch

from engine.graph.define import Widget, node
from engine.graph.run import Run
from engine.images import need_room, resize
from nodes.convert import need_mask, samples_of, with_samples
from nodes.types import MAX_SIDE, BatchSize, Crop, Latent, LatentResizeMethod, LatentSide, Mask, Scale

FilledSide = Annotated[int, Widget(min=16, max=MAX_SIDE, step=8, tooltip="In pixels.")]

CELL = 8  # Pixels per latent cell. Source: node_behaviour section 2.
SMALLEST = 64  # Pixels that LatentUpscale makes at least of each side. Source: the same.


@node("EmptyLatentImage", category="latent", display_name="Empty Latent Image")
def empty_latent_image(*, width: FilledSide = 512, height: FilledSide = 512, batch_size: BatchSize = 1) -> Latent:
    """A latent to draw into from nothing."""
    shape = (batch_size, 4, height // CELL, width // CELL)
    need_room(shape)
    return {"samples": torch.zeros(shape)}


@node("LatentUpscale", category="latent", display_name="Upscale Latent")
def latent_upscale(
    *,
    samples: Latent,
    upscale_method: LatentResizeMethod,
    width: LatentSide = 512,
    height: LatentSide = 512,
    crop: Crop,
    run: Run,
) -> Latent:
    """Bring latents to a size in pixels; where one side is 0 the proportions are kept."""
    x = samples_of(samples, "samples")
    if width == 0 and height == 0:
        return samples
    if width == 0:
        height = max(SMALLEST, height)
        width = round(x.shape[-1] * height / x.shape[-2])
    elif height == 0:
        width = max(SMALLEST, width)
        height = round(x.shape[-2] * width / x.shape[-1])
    width, height = max(SMALLEST, width) // CELL, max(SMALLEST, height) // CELL
    return with_samples(samples, resize(x, width, height, upscale_method, crop, run.stop_if_cancelled))


@node("LatentUpscaleBy", category="latent", display_name="Upscale Latent By")
def latent_upscale_by(
    *, samples: Latent, upscale_method: LatentResizeMethod, scale_by: Scale = 1.5, run: Run
) -> Latent:
    """Make latents larger or smaller by a factor."""
    x = samples_of(samples, "samples")
    width, height = round(x.shape[-1] * scale_by), round(x.shape[-2] * scale_by)
    return with_samples(samples, resize(x, width, height, upscale_method, check=run.stop_if_cancelled))


@node("SetLatentNoiseMask", category="latent/inpaint", display_name="Set Latent Noise Mask")
def set_latent_noise_mask(*, samples: Latent, mask: Mask) -> Latent:
    """Let only the masked part be drawn anew.

    mask: 1 where the picture may change; any size.
    """
    return {**samples, "noise_mask": need_mask(mask, "mask")}
