"""Nodes that make and change pictures."""

import math
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from engine.errors import ImageError
from engine.graph.define import Choices, Hidden, Widget, node
from engine.graph.run import Run
from engine.images import need_room, resize_image
from engine.pictures import layout
from nodes.convert import naming, need_image
from nodes.types import MAX_SIDE, BatchSize, Crop, Image, Mask, ResizeMethod, Scale, Side

FilledSide = Annotated[int, Widget(min=1, max=MAX_SIDE, step=1)]
Place = Annotated[int, Widget(min=0, max=MAX_SIDE, step=1, tooltip="In pixels.")]
Margin = Annotated[int, Widget(min=0, max=MAX_SIDE, step=8, tooltip="In pixels.")]
Megapixels = Annotated[float, Widget(min=0.01, max=16.0, step=0.01, tooltip="Of 1024 × 1024 pixels each.")]
# ComfyUI: bilinear is listed twice.
MaxDimensionMethod = Annotated[str, Choices(("area", "lanczos", "bilinear", "nearest-exact", "bilinear", "bicubic"))]
UniqueId = Annotated[str | None, Hidden("UNIQUE_ID")]
PadMethod = Annotated[str, Choices(("area", "bicubic", "nearest-exact", "bilinear", "lanczos"))]
PadColour = Annotated[str, Choices(("white", "black"))]
Rotation = Annotated[str, Choices(layout.ROTATIONS)]
Flip = Annotated[str, Choices(layout.FLIPS)]
Direction = Annotated[str, Choices(layout.DIRECTIONS, default="right", tooltip="Where image2 lies.")]
Spacing = Annotated[int, Widget(min=0, max=1024, step=2, tooltip="In pixels.")]
SpacingColour = Annotated[str, Choices(tuple(layout.COLOURS), default="white")]
BatchPlace = Annotated[int, Widget(min=0, max=4095, tooltip="0 is the first.")]
Colour = Annotated[int, Widget(min=0, max=0xFFFFFF, step=1, display="color", tooltip="0xRRGGBB.")]


class Size(NamedTuple):
    """How large pictures are, and how many."""

    width: int
    height: int
    batch_size: int


class Outpainting(NamedTuple):
    """A picture with room around it, and which part of it is new."""

    IMAGE: Image
    MASK: Mask


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
    with naming("image"):
        return resize_image(image, width, height, upscale_method, crop, run.stop_if_cancelled)


@node("ImageScaleBy", category="image/upscaling", display_name="Upscale Image By")
def image_scale_by(*, image: Image, upscale_method: ResizeMethod, scale_by: Scale = 1.0, run: Run) -> Image:
    """Make pictures larger or smaller by a factor."""
    height, width = (round(side * scale_by) for side in need_image(image, "image").shape[1:3])
    with naming("image"):
        return resize_image(image, width, height, upscale_method, check=run.stop_if_cancelled)


@node("ImageScaleToTotalPixels", category="image/upscaling", display_name="Scale Image to Total Pixels")
def image_scale_to_total_pixels(
    *, image: Image, upscale_method: ResizeMethod, megapixels: Megapixels = 1.0, run: Run
) -> Image:
    """Bring pictures to about so many pixels in all, their proportions kept."""
    height, width = need_image(image, "image").shape[1:3]
    scale = math.sqrt(int(megapixels * 1024 * 1024) / (width * height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    with naming("image"):
        return resize_image(image, *size, upscale_method, check=run.stop_if_cancelled)


@node("ImageScaleToMaxDimension", category="image/upscaling")
def image_scale_to_max_dimension(
    *, image: Image, upscale_method: MaxDimensionMethod, largest_size: Side = 512, run: Run
) -> Image:
    """Bring the longer side of pictures to a size, their proportions kept."""
    height, width = need_image(image, "image").shape[1:3]
    if height > width:
        size = max(1, round(width / height * largest_size)), largest_size
    else:
        size = largest_size, max(1, round(height / width * largest_size))
    with naming("image"):
        return resize_image(image, *size, upscale_method, check=run.stop_if_cancelled)


@node("ResizeAndPadImage", category="image/transform")
def resize_and_pad_image(
    *,
    image: Image,
    target_width: FilledSide = 512,
    target_height: FilledSide = 512,
    padding_color: PadColour,
    interpolation: PadMethod,
) -> Image:
    """Bring pictures to a size with their proportions kept; what is left over is filled with a colour."""
    given = need_image(image, "image")
    with naming("image"):
        return layout.padded_to_fit(given, target_width, target_height, padding_color, interpolation)


@node("ImagePadForOutpaint", category="image", display_name="Pad Image for Outpainting")
def image_pad_for_outpaint(
    *,
    image: Image,
    left: Margin = 0,
    top: Margin = 0,
    right: Margin = 0,
    bottom: Margin = 0,
    feathering: Place = 40,
) -> Outpainting:
    """Make room around a picture, to be drawn.

    feathering: over how many pixels of the picture the new part fades into it.
    """
    given = need_image(image, "image")
    return Outpainting(*layout.outpainting_canvas(given, left, top, right, bottom, feathering))


@node("ImageCrop", category="image/transform", display_name="Image Crop")
def image_crop(*, image: Image, width: FilledSide = 512, height: FilledSide = 512, x: Place = 0, y: Place = 0) -> Image:
    """Cut a rectangle out of pictures; at their borders it gets smaller."""
    return layout.cropped(need_image(image, "image"), width, height, x, y)


@node("ImageRotate", category="image/transform")
def image_rotate(*, image: Image, rotation: Rotation) -> Image:
    """Turn pictures clockwise."""
    return layout.turned(need_image(image, "image"), rotation, 1, 2)


@node("ImageFlip", category="image/transform")
def image_flip(*, image: Image, flip_method: Flip) -> Image:
    """Mirror pictures: top to bottom, or left to right."""
    return layout.flipped(need_image(image, "image"), flip_method, 1, 2)


@node("ImageStitch", category="image/transform", display_name="Image Stitch")
def image_stitch(
    *,
    image1: Image,
    direction: Direction,
    match_image_size: bool = True,
    spacing_width: Spacing = 0,
    spacing_color: SpacingColour,
    image2: Image | None = None,
) -> Image:
    """Set two pictures beside each other.

    match_image_size: bring image2 to the size of image1 where they touch, instead of filling up with a colour.
    """
    given = need_image(image1, "image1")
    if image2 is None:
        return given
    other = need_image(image2, "image2")
    with naming("image2"):
        return layout.stitched(given, other, direction, match_image_size, spacing_width, spacing_color)


@node("GetImageSize", category="image", display_name="Get Image Size")
def get_image_size(*, image: Image, unique_id: UniqueId = None, run: Run) -> Size:
    """Tell how large pictures are, and show it at the node."""
    count, height, width = need_image(image, "image").shape[:3]
    run.text(f"width: {width}, height: {height}\n batch size: {count}")
    return Size(width, height, count)


@node("ImageFromBatch", category="image/batch")
def image_from_batch(*, image: Image, batch_index: BatchPlace = 0, length: BatchSize = 1) -> Image:
    """Take some pictures out of a batch."""
    first = min(len(need_image(image, "image")) - 1, batch_index)
    return image[first : first + length].clone()


@node("RepeatImageBatch", category="image/batch")
def repeat_image_batch(*, image: Image, amount: BatchSize = 1) -> Image:
    """Repeat a whole batch so often."""
    count, *shape = need_image(image, "image").shape
    need_room((count * amount, *shape))
    return image.repeat(amount, 1, 1, 1)


@node("FluxKontextImageScale", category="advanced/conditioning/flux")
def flux_kontext_image_scale(*, image: Image, run: Run) -> Image:
    """Bring pictures to the size nearest in proportions that Flux Kontext was trained with."""
    height, width = need_image(image, "image").shape[1:3]
    size = layout.kontext_size(width, height)
    with naming("image"):
        return resize_image(image, *size, "lanczos", "center", run.stop_if_cancelled)


@node("ImageInvert", category="image", display_name="Invert Image")
def image_invert(*, image: Image) -> Image:
    """Turn light into dark; alpha too."""
    return 1.0 - need_image(image, "image")


@node("ImageBatch", category="image", display_name="Batch Images")
def image_batch(*, image1: Image, image2: Image, run: Run) -> Image:
    """Put pictures into one batch; those of image2 are cut and stretched to the size of image1.

    image1: comes first and decides the size.
    """
    height, width, channels = need_image(image1, "image1").shape[1:]
    if need_image(image2, "image2").shape[1:3] != (height, width):
        with naming("image2"):
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
