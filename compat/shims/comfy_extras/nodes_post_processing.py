"""ComfyUI's nodes that change finished pictures. Source: node_behaviour.md 4."""

from typing import Any

from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, whole, wires
from engine.pictures import compositing, filters


class Blend:
    """Mixes two pictures."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "execute"
    CATEGORY = "image/postprocessing"

    MODES = compositing.BLEND_MODES

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        ways = {"blend_factor": number(0.5), "blend_mode": ([*cls.MODES],)}
        return {"required": {**wires(image1="IMAGE", image2="IMAGE"), **ways}}

    @classmethod
    def execute(cls, image1: Tensor, image2: Tensor, blend_factor: float, blend_mode: str) -> Output:
        """The first with so much of the mixture in it."""
        mixed = cls.blend_mode  # a plugin may have put its own there
        return Output(compositing.blended(image1, image2, blend_factor, blend_mode, mixed))

    blend_images = execute

    @classmethod
    def blend_mode(cls, img1: Tensor, img2: Tensor, mode: str) -> Tensor:
        """The second laid over the first. Raises: ValueError for an unknown mode."""
        if mode not in cls.MODES:
            raise ValueError(f"blend_mode {mode!r}: expected one of {', '.join(cls.MODES)}")
        return compositing.mixed(img1, img2, mode)


def gaussian_kernel(kernel_size: int, sigma: float, device: Any = None) -> Tensor:
    """A bell over -1 … 1 in both directions, so sigma counts in radii. Returns: [kernel_size, kernel_size]."""
    return filters.gaussian(kernel_size, sigma).to(device)


class Blur:
    """Makes a picture soft."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "execute"
    CATEGORY = "image/postprocessing"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        amounts = {"blur_radius": whole(1, 1, 31), "sigma": number(1.0, 0.1, 10.0, 0.1)}
        return {"required": {**wires(image="IMAGE"), **amounts}}

    @classmethod
    def execute(cls, image: Tensor, blur_radius: int, sigma: float) -> Output:
        """Every pixel mixed with those in the radius."""
        return Output(filters.blurred(image, blur_radius, sigma))

    blur = execute
