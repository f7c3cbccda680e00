"""Nodes between pixels and latents."""

from typing import Annotated

from engine.graph.define import Widget, node
from engine.graph.run import Run
from engine.pictures import inpainting
from engine.values import Watch
from nodes.convert import decodable, encodable, need_mask, need_vae, sound
from nodes.types import Image, Latent, Mask, Vae

DecodeTile = Annotated[int, Widget(min=64, max=4096, step=32, tooltip="In pixels.")]
EncodeTile = Annotated[int, Widget(min=64, max=4096, step=64, tooltip="In pixels.")]
Overlap = Annotated[int, Widget(min=0, max=4096, step=32, tooltip="In pixels.")]
TemporalSize = Annotated[int, Widget(min=8, max=4096, step=4, tooltip="For videos: frames at once.")]
TemporalOverlap = Annotated[int, Widget(min=4, max=4096, step=4, tooltip="For videos: frames that overlap.")]
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
    masks = sound(need_mask(mask, "mask"), "mask")
    image, masks = inpainting.fitted(encodable(pixels, vae, "pixels"), masks, vae.ratio)
    samples = vae.encode(inpainting.greyed(image, masks), Watch(run.stop_if_cancelled, run.progress))
    return {"samples": samples, "noise_mask": inpainting.widened(masks, grow_mask_by).round()}


@node("VAEDecodeTiled", category="_for_testing", display_name="VAE Decode (Tiled)")
def vae_decode_tiled(
    *,
    samples: Latent,
    vae: Vae,
    tile_size: DecodeTile = 512,
    overlap: Overlap = 64,
    temporal_size: TemporalSize = 64,
    temporal_overlap: TemporalOverlap = 8,
    run: Run,
) -> Image:
    """Turn latents into pictures piece by piece, where the whole does not fit into memory.

    overlap: how many pixels of two pieces lie over each other.
    """
    vae = need_vae(vae)
    given, watch = decodable(samples, vae, "samples"), Watch(run.stop_if_cancelled, run.progress)
    # ComfyUI: pieces overlap by a quarter at most.
    overlap = tile_size // 4 if tile_size < overlap * 4 else overlap
    return vae.decode_tiled(given, max(1, tile_size // vae.ratio), overlap // vae.ratio, watch)


@node("VAEEncodeTiled", category="_for_testing", display_name="VAE Encode (Tiled)")
def vae_encode_tiled(
    *,
    pixels: Image,
    vae: Vae,
    tile_size: EncodeTile = 512,
    overlap: Overlap = 64,
    temporal_size: TemporalSize = 64,
    temporal_overlap: TemporalOverlap = 8,
    run: Run,
) -> Latent:
    """Turn pictures into latents piece by piece, where the whole does not fit into memory."""
    vae = need_vae(vae)
    image, watch = encodable(pixels, vae, "pixels"), Watch(run.stop_if_cancelled, run.progress)
    return {"samples": vae.encode_tiled(image, tile_size, overlap, watch)}
