"""Nodes that make and change latents. Pixel sizes are divided by 8, whatever the autoencoder."""

from typing import Annotated, Any

import torch

from engine.graph.define import Choices, Widget, node
from engine.graph.run import Run
from engine.images import need_room, resize
from engine.pictures import compositing, latents, layout
from engine.pictures.latents import rebatched
from engine.shapes import CELL
from nodes.convert import batch_index_of, naming, need_mask, samples_of, with_samples
from nodes.types import MAX_SIDE, BatchSize, Crop, Latent, LatentResizeMethod, LatentSide, Mask, Scale

FilledSide = Annotated[int, Widget(min=16, max=MAX_SIDE, step=8, tooltip="In pixels.")]

Sd3Side = Annotated[int, Widget(min=16, max=MAX_SIDE, step=16, tooltip="In pixels.")]
Place = Annotated[int, Widget(min=0, max=MAX_SIDE, step=8, tooltip="In pixels.")]
CropSide = Annotated[int, Widget(min=64, max=MAX_SIDE, step=8, tooltip="In pixels.")]
Rotation = Annotated[str, Choices(layout.ROTATIONS)]
Flip = Annotated[str, Choices(layout.FLIPS)]
First = Annotated[int, Widget(min=0, max=63, tooltip="0 is the first.")]
SeedBehaviour = Annotated[str, Choices(("random", "fixed"), default="fixed")]
Count = Annotated[int, Widget(min=1, max=64)]

SMALLEST = 64  # Pixels that LatentUpscale makes at least of each side. Source: the same.


@node("EmptyLatentImage", category="latent", display_name="Empty Latent Image")
def empty_latent_image(*, width: FilledSide = 512, height: FilledSide = 512, batch_size: BatchSize = 1) -> Latent:
    """A latent to draw into from nothing."""
    shape = (batch_size, 4, height // CELL, width // CELL)
    need_room(shape)
    return {"samples": torch.zeros(shape)}


@node("EmptySD3LatentImage", category="latent/sd3")
def empty_sd3_latent_image(*, width: Sd3Side = 1024, height: Sd3Side = 1024, batch_size: BatchSize = 1) -> Latent:
    """A latent of 16 channels to draw into from nothing, for Stable Diffusion 3 and Flux."""
    shape = (batch_size, 16, height // CELL, width // CELL)
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
    samples_of(samples, "samples")
    return {**samples, "noise_mask": need_mask(mask, "mask")}


@node("LatentRotate", category="latent/transform", display_name="Rotate Latent")
def latent_rotate(*, samples: Latent, rotation: Rotation) -> Latent:
    """Turn latents clockwise; a noise mask is left as it is."""
    return with_samples(samples, layout.turned(samples_of(samples, "samples"), rotation, -2, -1))


@node("LatentFlip", category="latent/transform", display_name="Flip Latent")
def latent_flip(*, samples: Latent, flip_method: Flip) -> Latent:
    """Mirror latents: top to bottom, or left to right; a noise mask is left as it is."""
    return with_samples(samples, layout.flipped(samples_of(samples, "samples"), flip_method, -2, -1))


@node("LatentCrop", category="latent/transform", display_name="Crop Latent")
def latent_crop(
    *, samples: Latent, width: CropSide = 512, height: CropSide = 512, x: Place = 0, y: Place = 0
) -> Latent:
    """Cut a rectangle out of latents; at their borders it gets smaller."""
    given = samples_of(samples, "samples")
    return with_samples(samples, latents.cropped(given, width // CELL, height // CELL, x // CELL, y // CELL))


@node("LatentComposite", category="latent", display_name="Latent Composite")
def latent_composite(
    *, samples_to: Latent, samples_from: Latent, x: Place = 0, y: Place = 0, feather: Place = 0
) -> Latent:
    """Paste latents into others.

    feather: over how many pixels the edges inside the picture fade.
    """
    canvas, source = samples_of(samples_to, "samples_to").clone(), samples_of(samples_from, "samples_from")
    compositing.paste_faded_(canvas, source.to(canvas), x // CELL, y // CELL, feather // CELL)
    return with_samples(samples_to, canvas)


@node("LatentCompositeMasked", category="latent")
def latent_composite_masked(
    *,
    destination: Latent,
    source: Latent,
    x: Place = 0,
    y: Place = 0,
    resize_source: bool = False,
    mask: Mask | None = None,
) -> Latent:
    """Paste latents into others, as far as a mask says.

    mask: 1 where the source is seen; stretched to its size.
    """
    weight = None if mask is None else need_mask(mask, "mask")
    canvas, given = samples_of(destination, "destination").clone(), samples_of(source, "source")
    return with_samples(destination, compositing.paste_(canvas, given, x, y, weight, CELL, resize_source))


@node("LatentFromBatch", category="latent/batch", display_name="Latent From Batch")
def latent_from_batch(*, samples: Latent, batch_index: First = 0, length: Count = 1) -> Latent:
    """Take some latents out of a batch; each is still drawn with the noise of its old place."""
    return latents.part_of_batch(_checked(samples, "samples"), batch_index, length)


@node("RepeatLatentBatch", category="latent/batch", display_name="Repeat Latent Batch")
def repeat_latent_batch(*, samples: Latent, amount: Count = 1) -> Latent:
    """Repeat a whole batch so often."""
    given = _checked(samples, "samples")
    count, *shape = given["samples"].shape
    need_room((count * amount, *shape))
    return latents.repeated(given, amount)


@node("LatentBatch", category="latent/batch")
def latent_batch(*, samples1: Latent, samples2: Latent) -> Latent:
    """Put latents into one batch; those of samples2 are cut and stretched to the size of samples1."""
    with naming("samples2"):
        return latents.joined(_checked(samples1, "samples1"), _checked(samples2, "samples2"))


@node("LatentBatchSeedBehavior", category="latent/advanced")
def latent_batch_seed_behavior(*, samples: Latent, seed_behavior: SeedBehaviour) -> Latent:
    """Draw every latent of a batch with noise of its own, or all with the same."""
    given = _checked(samples, "samples")
    return latents.with_own_noise(given) if seed_behavior == "random" else latents.with_same_noise(given)


@node("RebatchLatents", category="latent/batch", display_name="Rebatch Latents", input_is_list=True)
def rebatch_latents(
    *, latents: list[Latent], batch_size: Annotated[list[BatchSize], Widget(default=1)]
) -> list[Latent]:
    """Regroup all latents into batches of one size; another picture size begins a new batch."""
    given = [_checked(each, "latents") for each in latents]
    return list(rebatched(given, batch_size[0]))


def _checked(latent: Latent, name: str) -> dict[str, Any]:
    """A latent whose numbers, masks and places fit each other."""
    samples_of(latent, name)
    if batch_index_of(latent, name) is None and "batch_index" in latent:
        latent = {key: value for key, value in latent.items() if key != "batch_index"}
    masks = latent.get("noise_mask")
    if masks is None:
        return {key: value for key, value in latent.items() if key != "noise_mask"}
    return {**latent, "noise_mask": need_mask(masks, f"{name}: noise_mask")}
