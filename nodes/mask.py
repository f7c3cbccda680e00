"""Nodes that make and change masks: [B, H, W], where 1 is selected."""

from typing import Annotated

import torch
from torch import Tensor

from engine.errors import ImageError
from engine.file_checks import image_exists
from engine.folders import Folders
from engine.graph.define import Choices, Widget, node
from engine.graph.nodetype import Result
from engine.graph.run import Run
from engine.images import need_room, read_channel
from engine.pictures import masks
from engine.settings import Settings
from nodes.convert import naming, need_image, need_mask
from nodes.image_files import SAVED_COMPRESSION, ImageName, image_fingerprint, info_of, letters, previews
from nodes.types import MAX_SIDE, ExtraJson, Image, Mask, PromptJson

Channel = Annotated[str, Choices(("alpha", "red", "green", "blue"))]
ImageChannel = Annotated[str, Choices(("red", "green", "blue", "alpha"))]
Operation = Annotated[str, Choices(masks.OPERATIONS)]
Pixels = Annotated[int, Widget(min=0, max=MAX_SIDE, step=1)]
FilledSide = Annotated[int, Widget(min=1, max=MAX_SIDE, step=1)]
Growth = Annotated[int, Widget(min=-MAX_SIDE, max=MAX_SIDE, step=1, tooltip="In pixels; below 0 it shrinks.")]
Share = Annotated[float, Widget(min=0.0, max=1.0, step=0.01)]
Colour = Annotated[int, Widget(min=0, max=0xFFFFFF, step=1, display="color", tooltip="0xRRGGBB.")]


@node(
    "LoadImageMask",
    category="mask",
    display_name="Load Image (as Mask)",
    fingerprint=image_fingerprint,
    validate=image_exists,
)
def load_image_mask(*, image: ImageName, channel: Channel, folders: Folders) -> Mask:
    """One channel of a picture as a mask; of alpha the transparent part is selected."""
    with naming("image"):
        return read_channel(folders.input_file(image), channel)


@node("MaskToImage", category="mask", display_name="Convert Mask to Image")
def mask_to_image(*, mask: Mask) -> Image:
    """Show a mask as a grey picture."""
    return need_mask(mask, "mask").movedim(1, -1).expand(-1, -1, -1, 3).contiguous()


@node("ImageToMask", category="mask", display_name="Convert Image to Mask")
def image_to_mask(*, image: Image, channel: ImageChannel) -> Mask:
    """Take one channel of a picture for a mask, as it is."""
    index = ("red", "green", "blue", "alpha").index(channel)
    channels = need_image(image, "image").shape[3]
    if index >= channels:
        raise ImageError(f"image has {channels} channels and no {channel}; choose another channel.")
    return image[..., index]


@node("ImageColorToMask", category="mask")
def image_color_to_mask(*, image: Image, color: Colour = 0) -> Mask:
    """Select the pixels that have exactly this colour."""
    if need_image(image, "image").shape[3] < 3:
        raise ImageError(f"image: expected colour pictures, got {image.shape[3]} channels.")
    return masks.of_colour(image, color)


@node("SolidMask", category="mask")
def solid_mask(*, value: Share = 1.0, width: FilledSide = 512, height: FilledSide = 512) -> Mask:
    """A mask of one value."""
    need_room((1, height, width))
    return torch.full((1, height, width), value)


@node("InvertMask", category="mask")
def invert_mask(*, mask: Mask) -> Mask:
    """Select what was not selected."""
    return 1.0 - _plain(mask, "mask")


@node("CropMask", category="mask")
def crop_mask(*, mask: Mask, x: Pixels = 0, y: Pixels = 0, width: FilledSide = 512, height: FilledSide = 512) -> Mask:
    """Cut a rectangle out of a mask; at its borders the rectangle gets smaller."""
    given = _plain(mask, "mask")
    if x >= given.shape[2] or y >= given.shape[1]:
        size = f"{given.shape[2]}×{given.shape[1]}"
        raise ImageError(f"x, y: ({x}, {y}) lies outside of the mask of {size} pixels; nothing would be left.")
    return given[:, y : y + height, x : x + width]


@node("MaskComposite", category="mask")
def mask_composite(*, destination: Mask, source: Mask, x: Pixels = 0, y: Pixels = 0, operation: Operation) -> Mask:
    """Put a mask on another one, its corner at x and y.

    operation: "and", "or" and "xor" take a pixel for selected from a half on.
    """
    return masks.composed(_plain(destination, "destination"), _plain(source, "source"), x, y, operation)


@node("FeatherMask", category="mask")
def feather_mask(*, mask: Mask, left: Pixels = 0, top: Pixels = 0, right: Pixels = 0, bottom: Pixels = 0) -> Mask:
    """Let a mask fade towards its sides, over so many pixels on each."""
    return masks.feathered(_plain(mask, "mask"), left, top, right, bottom)


@node("GrowMask", category="mask", display_name="Grow Mask")
def grow_mask(*, mask: Mask, expand: Growth = 0, tapered_corners: bool = True, run: Run) -> Mask:
    """Make the selected part larger, or smaller.

    tapered_corners: cut the corners of what grows.
    """
    return masks.grown(_plain(mask, "mask"), expand, tapered_corners, run.stop_if_cancelled)


@node("ThresholdMask", category="mask")
def threshold_mask(*, mask: Mask, value: Share = 0.5) -> Mask:
    """Select wholly what is selected more than this, and the rest not at all."""
    return (_plain(mask, "mask") > value).float()


@node("MaskPreview", category="mask", display_name="Preview Mask", is_output=True)
def mask_preview(
    *,
    mask: Mask,
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
    run: Run,
) -> Result:
    """Show a mask as a grey picture without keeping it."""
    info, prefix = info_of(prompt, extra_pnginfo, settings), f"ComfyUI_temp_{letters(run)}"
    shown = previews(mask_to_image(mask=mask), run, folders, prefix, info, SAVED_COMPRESSION)
    return Result(ui={"images": shown})


def _plain(mask: object, name: str) -> Tensor:
    return need_mask(mask, name)[:, 0]
