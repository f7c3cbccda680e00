"""ComfyUI's nodes that make, change and paste masks. Source: node_behaviour.md 2 and 5."""

from typing import Any

import comfy
import node_helpers
import numpy
import scipy.ndimage
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, whole, wires

Latent = dict[str, Any]


def composite(
    destination: Tensor,
    source: Tensor,
    x: int,
    y: int,
    mask: Tensor | None = None,
    multiplier: int = 8,
    resize_source: bool = False,
) -> Tensor:
    """The source pasted into the destination, which is changed in place; the mask weighs the source.

    Shapes: destination, source [B, C, H, W]. Units: x and y in pixels, of which a cell has `multiplier`.
    """
    source = source.to(destination.device)
    if resize_source:
        source = interpolate(source, size=destination.shape[-2:], mode="bilinear")
    source = comfy.utils.repeat_to_batch_size(source, destination.shape[0])
    left = max(-source.shape[-1] * multiplier, min(x, destination.shape[-1] * multiplier)) // multiplier
    top = max(-source.shape[-2] * multiplier, min(y, destination.shape[-2] * multiplier)) // multiplier
    if mask is None:
        weight = torch.ones_like(source[:, :1])
    else:
        masks = mask.to(destination.device).reshape(-1, 1, *mask.shape[-2:])
        weight = interpolate(masks, size=source.shape[-2:], mode="bilinear")
        weight = comfy.utils.repeat_to_batch_size(weight, source.shape[0])
    rows = slice(max(0, top), min(destination.shape[-2], top + source.shape[-2]))
    columns = slice(max(0, left), min(destination.shape[-1], left + source.shape[-1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        inner = (..., slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        here = destination[..., rows, columns]
        here.copy_(weight[inner] * source[inner] + (1.0 - weight[inner]) * here)
    return destination


class LatentCompositeMasked:
    """Pastes one latent into another, as far as a mask says."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "composite"
    CATEGORY = "latent"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        places = {"x": whole(0, step=8), "y": whole(0, step=8), "resize_source": ("BOOLEAN", {"default": False})}
        return {
            "required": {**wires(destination="LATENT", source="LATENT"), **places},
            "optional": wires(mask="MASK"),
        }

    @classmethod
    def execute(
        cls, destination: Latent, source: Latent, x: int, y: int, resize_source: bool, mask: Tensor | None = None
    ) -> Output:
        """The destination's copy with the source in it."""
        canvas = destination["samples"].clone()
        made = composite(canvas, source["samples"], x, y, mask, 8, resize_source)
        return Output({**destination, "samples": made})

    composite = execute


class ImageCompositeMasked:
    """Pastes one picture into another, as far as a mask says."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "composite"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        places = {"x": whole(0), "y": whole(0), "resize_source": ("BOOLEAN", {"default": False})}
        return {"required": {**wires(destination="IMAGE", source="IMAGE"), **places}, "optional": wires(mask="MASK")}

    @classmethod
    def execute(
        cls, destination: Tensor, source: Tensor, x: int, y: int, resize_source: bool, mask: Tensor | None = None
    ) -> Output:
        """The destination's copy with the source in it."""
        destination, source = node_helpers.image_alpha_fix(destination, source)
        canvas = destination.clone().movedim(-1, 1)
        return Output(composite(canvas, source.movedim(-1, 1), x, y, mask, 1, resize_source).movedim(1, -1))

    composite = execute


class MaskToImage:
    """A mask as a grey picture."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "mask_to_image"
    CATEGORY = "mask"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(mask="MASK")}

    @classmethod
    def execute(cls, mask: Tensor) -> Output:
        """Grey in three channels."""
        return Output(mask.reshape(-1, *mask.shape[-2:], 1).expand(-1, -1, -1, 3))

    mask_to_image = execute


class ImageToMask:
    """A channel of a picture as a mask."""

    RETURN_TYPES = ("MASK",)
    FUNCTION = "image_to_mask"
    CATEGORY = "mask"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(image="IMAGE"), "channel": (["red", "green", "blue", "alpha"],)}}

    @classmethod
    def execute(cls, image: Tensor, channel: str) -> Output:
        """That channel."""
        return Output(image[..., ["red", "green", "blue", "alpha"].index(channel)])

    image_to_mask = execute


class SolidMask:
    """A mask of one value."""

    RETURN_TYPES = ("MASK",)
    FUNCTION = "solid"
    CATEGORY = "mask"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"value": number(1.0), "width": whole(512, 1), "height": whole(512, 1)}}

    @classmethod
    def execute(cls, value: float, width: int, height: int) -> Output:
        """One mask."""
        return Output(torch.full((1, height, width), value, dtype=torch.float32))

    solid = execute


class InvertMask:
    """Selects what was not selected."""

    RETURN_TYPES = ("MASK",)
    FUNCTION = "invert"
    CATEGORY = "mask"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(mask="MASK")}

    @classmethod
    def execute(cls, mask: Tensor) -> Output:
        """1 - mask."""
        return Output(1.0 - mask)

    invert = execute


class MaskComposite:
    """Puts two masks together."""

    RETURN_TYPES = ("MASK",)
    FUNCTION = "combine"
    CATEGORY = "mask"

    OPERATIONS = ("multiply", "add", "subtract", "and", "or", "xor")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        places = {"x": whole(0), "y": whole(0), "operation": ([*cls.OPERATIONS],)}
        return {"required": {**wires(destination="MASK", source="MASK"), **places}}

    @classmethod
    def execute(cls, destination: Tensor, source: Tensor, x: int, y: int, operation: str) -> Output:
        """The destination's copy, with the source at a place of it."""
        made = destination.reshape(-1, *destination.shape[-2:]).clone()
        given = source.reshape(-1, *source.shape[-2:])
        here = made[:, y : y + given.shape[-2], x : x + given.shape[-1]]
        given = given[:, : here.shape[-2], : here.shape[-1]]
        here.copy_(_combined(here, given, operation))
        return Output(made.clamp(0.0, 1.0))

    combine = execute


def _combined(a: Tensor, b: Tensor, operation: str) -> Tensor:
    if operation in ("and", "or", "xor"):
        function = {"and": torch.bitwise_and, "or": torch.bitwise_or, "xor": torch.bitwise_xor}[operation]
        return function(a.round().bool(), b.round().bool()).float()
    return {"multiply": a * b, "add": a + b, "subtract": a - b}[operation]


class FeatherMask:
    """Lets a mask fade towards its sides."""

    RETURN_TYPES = ("MASK",)
    FUNCTION = "feather"
    CATEGORY = "mask"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(mask="MASK"), **{side: whole(0) for side in ("left", "top", "right", "bottom")}}}

    @classmethod
    def execute(cls, mask: Tensor, left: int, top: int, right: int, bottom: int) -> Output:
        """The mask times a ramp of so many pixels on each side."""
        made = mask.reshape(-1, *mask.shape[-2:]).clone()
        height, width = made.shape[-2:]
        for size, length, axis, sign in ((left, width, 2, 1), (right, width, 2, -1), (top, height, 1, 1)):
            _fade(made, min(size, length), axis, sign)
        _fade(made, min(bottom, height), 1, -1)
        return Output(made)

    feather = execute


def _fade(mask: Tensor, count: int, axis: int, sign: int) -> None:
    for i in range(count):
        # ComfyUI: from the far side the first index is -0, which is the near side's first (node_behaviour.md 5).
        mask.select(axis, sign * i).mul_((i + 1.0) / count)


class GrowMask:
    """Makes the selected part larger or smaller."""

    RETURN_TYPES = ("MASK",)
    FUNCTION = "expand_mask"
    CATEGORY = "mask"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        amount = {"expand": whole(0, -16384), "tapered_corners": ("BOOLEAN", {"default": True})}
        return {"required": {**wires(mask="MASK"), **amount}}

    @classmethod
    def execute(cls, mask: Tensor, expand: int, tapered_corners: bool) -> Output:
        """So many pixels larger, or smaller below 0; tapered_corners rounds what grows."""
        corner = 0 if tapered_corners else 1
        footprint = numpy.array([[corner, 1, corner], [1, 1, 1], [corner, 1, corner]])
        change = scipy.ndimage.grey_erosion if expand < 0 else scipy.ndimage.grey_dilation
        made = []
        for each in mask.reshape(-1, *mask.shape[-2:]).cpu().numpy():
            for _ in range(abs(expand)):
                each = change(each, footprint=footprint)
            made.append(torch.from_numpy(each))
        return Output(torch.stack(made))

    expand_mask = execute


class ThresholdMask:
    """Selects wholly or not at all."""

    RETURN_TYPES = ("MASK",)
    FUNCTION = "image_to_mask"
    CATEGORY = "mask"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(mask="MASK"), "value": number(0.5)}}

    @classmethod
    def execute(cls, mask: Tensor, value: float) -> Output:
        """1 where the mask is above the value."""
        return Output((mask > value).float())

    image_to_mask = execute


class CropMask:
    """A rectangle of a mask."""

    RETURN_TYPES = ("MASK",)
    FUNCTION = "crop"
    CATEGORY = "mask"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sides = {"x": whole(0), "y": whole(0), "width": whole(512, 1), "height": whole(512, 1)}
        return {"required": {**wires(mask="MASK"), **sides}}

    @classmethod
    def execute(cls, mask: Tensor, x: int, y: int, width: int, height: int) -> Output:
        """The rectangle; smaller at the borders."""
        return Output(mask.reshape(-1, *mask.shape[-2:])[:, y : y + height, x : x + width])

    crop = execute
