"""ComfyUI's nodes for transparency. Source: node_behaviour.md 4."""

from typing import Any

import torch
from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import wires
from engine import images


def resize_mask(mask: Tensor, shape: tuple[int, int]) -> Tensor:
    """Masks stretched to a height and width. Returns: [B, height, width]."""
    return images.resize_mask(mask, shape[1], shape[0])[:, 0]


class JoinImageWithAlpha:
    """Makes a picture transparent where a mask says."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "execute"
    CATEGORY = "mask/compositing"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(image="IMAGE", alpha="MASK")}

    @classmethod
    def execute(cls, image: Tensor, alpha: Tensor) -> Output:
        """The colours with 1 - alpha as a fourth channel; as many as the smaller of both batches."""
        count = min(len(image), len(alpha))
        opaque = 1.0 - resize_mask(alpha, (image.shape[1], image.shape[2]))
        return Output(torch.cat((image[:count, ..., :3], opaque[:count, ..., None].to(image)), dim=-1))

    join_image_with_alpha = execute


class SplitImageWithAlpha:
    """Takes a picture's transparency away as a mask."""

    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "execute"
    CATEGORY = "mask/compositing"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(image="IMAGE")}

    @classmethod
    def execute(cls, image: Tensor) -> Output:
        """The colours, and 1 where they are transparent."""
        opaque = image[..., 3] if image.shape[-1] > 3 else torch.ones_like(image[..., 0])
        return Output(image[..., :3], 1.0 - opaque)

    split_image_with_alpha = execute
