"""Nodes that make and change pictures."""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated

import torch
from torch import Tensor

from engine.errors import ImageError
from engine.graph.define import Widget, node
from engine.graph.run import Run
from engine.images import need_room, resize_image
from nodes.convert import need_image
from nodes.types import MAX_SIDE, BatchSize, Crop, Image, ResizeMethod, Scale, Side

FilledSide = Annotated[int, Widget(min=1, max=MAX_SIDE, step=1)]
Colour = Annotated[int, Widget(min=0, max=0xFFFFFF, step=1, display="color", tooltip="0xRRGGBB.")]


@node("EmptyImage", category="image")
def empty_image(
    *, width: FilledSide = 512, height: FilledSide = 512, batch_size: BatchSize = 1, color: Colour = 0
) -> Image:
    """A picture of one colour."""
    need_room((batch_size, height, width, 3))
    rgb = torch.tensor([color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF]) / 255
    return rgb.expand(batch_size, height, width, 3).contiguous()


@node("ImageScale", category="image/upscaling", display_name="Upscale Image")
def image_scale(
    *, image: Image, upscale_method: ResizeMethod, width: Side = 512, height: Side = 512, crop: Crop, run: Run
) -> Image:
    """Bring pictures to a size; where one side is 0 the proportions are kept."""
    old_height, old_width = need_image(image, "image").shape[1:3]
    if width == 0 and height == 0:
        return image
    width = width or max(1, round(old_width * height / old_height))
    height = height or max(1, round(old_height * width / old_width))
    return resize_image(image, width, height, upscale_method, crop, run.stop_if_cancelled)


@node("ImageScaleBy", category="image/upscaling", display_name="Upscale Image By")
def image_scale_by(*, image: Image, upscale_method: ResizeMethod, scale_by: Scale = 1.0, run: Run) -> Image:
    """Make pictures larger or smaller by a factor."""
    height, width = (round(side * scale_by) for side in need_image(image, "image").shape[1:3])
    return resize_image(image, width, height, upscale_method, check=run.stop_if_cancelled)


@node("ImageInvert", category="image", display_name="Invert Image")
def image_invert(*, image: Image) -> Image:
    """Turn light into dark; alpha too."""
    return 1.0 - image


@node("ImageBatch", category="image", display_name="Batch Images")
def image_batch(*, image1: Image, image2: Image, run: Run) -> Image:
    """Put pictures into one batch; those of image2 are cut and stretched to the size of image1.

    image1: comes first and decides the size.
    """
    height, width, channels = need_image(image1, "image1").shape[1:]
    if need_image(image2, "image2").shape[1:3] != (height, width):
        image2 = resize_image(image2, width, height, "bilinear", "center", run.stop_if_cancelled)
    if image2.shape[3] != channels:
        raise ImageError(
            f"image1 has {channels} channels and image2 {image2.shape[3]}; take the alpha channel off one of them."
        )
    return torch.cat([image1, image2])


@node("RebatchImages", category="image/batch", display_name="Rebatch Images", input_is_list=True)
def rebatch_images(*, images: list[Image], batch_size: Annotated[list[BatchSize], Widget(default=1)]) -> list[Image]:
    """Regroup all pictures into batches of one size; the last may be smaller."""
    singles = (image[i : i + 1] for image in images for i in range(need_image(image, "images").shape[0]))
    return list(_batches(singles, batch_size[0]))


def _batches(singles: Iterable[Tensor], size: int) -> Iterable[Tensor]:
    remaining = iter(singles)
    while group := list(islice(remaining, size)):
        shapes = {tuple(image.shape[1:]) for image in group}
        if len(shapes) > 1:
            sizes = ", ".join("×".join(map(str, shape)) for shape in sorted(shapes))
            raise ImageError(f"images: a batch needs pictures of one size, got {sizes}; bring them to one size first.")
        yield torch.cat(group)
