"""ComfyUI's nodes for transparency. Source: node_behaviour.md 4."""

from typing import Any

from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import wires
from engine import images
from engine.pictures import compositing


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
        return Output(compositing.with_alpha(image, alpha))

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
        return Output(*compositing.without_alpha(image))

    split_image_with_alpha = execute
