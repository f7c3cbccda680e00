"""ComfyUI's nodes that make, change and paste masks. Source: node_behaviour.md 2 and 5."""

from typing import Any

import torch
from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, whole, wires
from engine.pictures import compositing, masks

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
    return compositing.paste_(destination, source, x, y, mask, multiplier, resize_source)


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
        source = compositing.with_channels_of(source, destination)
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

    OPERATIONS = masks.OPERATIONS

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        places = {"x": whole(0), "y": whole(0), "operation": ([*cls.OPERATIONS],)}
        return {"required": {**wires(destination="MASK", source="MASK"), **places}}

    @classmethod
    def execute(cls, destination: Tensor, source: Tensor, x: int, y: int, operation: str) -> Output:
        """The destination's copy, with the source at a place of it."""
        return Output(masks.composed(_plain(destination), _plain(source), x, y, operation))

    combine = execute


def _plain(mask: Tensor) -> Tensor:
    """Returns: [B, H, W]."""
    return mask.reshape(-1, *mask.shape[-2:])


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
        return Output(masks.feathered(_plain(mask), left, top, right, bottom))

    feather = execute


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
        return Output(masks.grown(_plain(mask).cpu(), expand, tapered_corners))

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
        return Output(_plain(mask)[:, y : y + height, x : x + width])

    crop = execute
