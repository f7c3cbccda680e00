"""ComfyUI's nodes that change finished pictures. Source: node_behaviour.md 4."""

from typing import Any

import comfy
import node_helpers
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, whole, wires


class Blend:
    """Mixes two pictures."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "execute"
    CATEGORY = "image/postprocessing"

    MODES = ("normal", "multiply", "screen", "overlay", "soft_light", "difference")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        ways = {"blend_factor": number(0.5), "blend_mode": ([*cls.MODES],)}
        return {"required": {**wires(image1="IMAGE", image2="IMAGE"), **ways}}

    @classmethod
    def execute(cls, image1: Tensor, image2: Tensor, blend_factor: float, blend_mode: str) -> Output:
        """The first with so much of the mixture in it."""
        image1, image2 = node_helpers.image_alpha_fix(image1, image2.to(image1.device))
        if image1.shape != image2.shape:
            height, width = image1.shape[1:3]
            fitted = comfy.utils.common_upscale(image2.movedim(-1, 1), width, height, "bicubic", crop="center")
            image2 = fitted.movedim(1, -1)
        mixed = cls.blend_mode(image1, image2, blend_mode)
        return Output((image1 * (1 - blend_factor) + mixed * blend_factor).clamp(0, 1))

    blend_images = execute

    @classmethod
    def blend_mode(cls, img1: Tensor, img2: Tensor, mode: str) -> Tensor:
        """The second laid over the first. Raises: ValueError for an unknown mode."""
        if mode not in cls.MODES:
            raise ValueError(f"blend_mode {mode!r}: expected one of {', '.join(cls.MODES)}")
        if mode == "overlay":
            return torch.where(img1 <= 0.5, 2 * img1 * img2, 1 - 2 * (1 - img1) * (1 - img2))
        if mode == "soft_light":
            lifted = torch.where(img1 <= 0.25, ((16 * img1 - 12) * img1 + 4) * img1, img1.sqrt())
            lighter, darker = (2 * img2 - 1) * (lifted - img1), (1 - 2 * img2) * img1 * (1 - img1)
            return torch.where(img2 <= 0.5, img1 - darker, img1 + lighter)
        plain = {"normal": img2, "multiply": img1 * img2, "screen": 1 - (1 - img1) * (1 - img2)}
        return plain.get(mode, img1 - img2)


def gaussian_kernel(kernel_size: int, sigma: float, device: Any = None) -> Tensor:
    """A bell over -1 … 1 in both directions, so sigma counts in radii. Returns: [kernel_size, kernel_size]."""
    line = torch.linspace(-1, 1, kernel_size, device=device)
    bell = torch.exp(-(line[:, None] ** 2 + line[None] ** 2) / (2 * sigma * sigma))
    return bell / bell.sum()


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
        if blur_radius == 0:
            return Output(image)
        channels = image.shape[-1]
        kernel = gaussian_kernel(2 * blur_radius + 1, sigma, image.device).expand(channels, 1, -1, -1)
        padded = pad(image.movedim(-1, 1), [blur_radius] * 4, mode="reflect")
        return Output(conv2d(padded, kernel, groups=channels).movedim(1, -1))

    blur = execute
