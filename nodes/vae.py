"""Nodes between pixels and latents."""

from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from engine.graph.define import Widget, node
from engine.graph.run import Run
from engine.images import crop_to_multiple, repeat_to_batch, resize_mask
from engine.values import Watch
from nodes.convert import decodable, encodable, need_mask, need_vae
from nodes.types import Image, Latent, Mask, Vae

Grow = Annotated[int, Widget(min=0, max=64, step=1)]


@node("VAEDecode", category="latent", display_name="VAE Decode")
def vae_decode(*, samples: Latent, vae: Vae, run: Run) -> Image:
    """Turn latents into pictures."""
    vae = need_vae(vae)
    return vae.decode(decodable(samples, vae, "samples"), Watch(run.stop_if_cancelled, run.progress))


@node("VAEEncode", category="latent", display_name="VAE Encode")
def vae_encode(*, pixels: Image, vae: Vae, run: Run) -> Latent:
    """Turn pictures into latents; what does not fill a whole cell at the border is cut off."""
    vae = need_vae(vae)
    image = encodable(pixels, vae, "pixels")
    return {"samples": vae.encode(image, Watch(run.stop_if_cancelled, run.progress))}


@node("VAEEncodeForInpaint", category="latent/inpaint", display_name="VAE Encode (for Inpainting)")
def vae_encode_for_inpaint(*, pixels: Image, vae: Vae, mask: Mask, grow_mask_by: Grow = 6, run: Run) -> Latent:
    """Turn pictures into latents whose masked part will be drawn from nothing.

    grow_mask_by: by how many pixels the redrawn part is larger than the mask, so that no seam is left.
    """
    vae = need_vae(vae)
    image = encodable(pixels, vae, "pixels").movedim(-1, 1)
    height, width = image.shape[2:]
    masks = crop_to_multiple(resize_mask(need_mask(mask, "mask"), width, height), vae.ratio)
    image = crop_to_multiple(image, vae.ratio)
    grey = (image - 0.5) * (1.0 - repeat_to_batch(masks, len(image)).round()) + 0.5
    samples = vae.encode(grey.movedim(1, -1), Watch(run.stop_if_cancelled, run.progress))
    return {"samples": samples, "noise_mask": grown(masks, grow_mask_by).round()}


def grown(masks: Tensor, side: int) -> Tensor:
    """A mask widened by a square of `side` pixels, about its half on each side; 0 leaves it as it is.

    Shapes: masks [B, 1, H, W].
    """
    if side == 0:
        return masks
    # ComfyUI: an even square reaches one pixel further to the right and down.
    kernel, padding = torch.ones(1, 1, side, side), -(-(side - 1) // 2)
    wider = conv2d(masks.round(), kernel.to(masks), padding=padding).clamp(0, 1)
    return wider[..., : masks.shape[-2], : masks.shape[-1]]
