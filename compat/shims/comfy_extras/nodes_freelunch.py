"""ComfyUI's nodes that weigh a UNet's skips anew. Source: node_behaviour.md 8; Si et al. 2023, arXiv 2309.11497."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, wires

BOX = 1  # frequencies on each side of the lowest that are scaled


def Fourier_filter(x: Tensor, threshold: int, scale: float) -> Tensor:
    """Its lowest frequencies times a number. Shapes: x [B, C, H, W]."""
    spectrum = torch.fft.fftshift(torch.fft.fftn(x.float(), dim=(-2, -1)), dim=(-2, -1))
    row, column = x.shape[-2] // 2, x.shape[-1] // 2
    spectrum[..., row - threshold : row + threshold, column - threshold : column + threshold] *= scale
    back: Tensor = torch.fft.ifftn(torch.fft.ifftshift(spectrum, dim=(-2, -1)), dim=(-2, -1)).real
    return back.to(x.dtype)


Weigh = Callable[[Tensor, float], Tensor | float]


class FreeU:
    """Strengthens what the decoder made, and weakens the coarse part of what it is reminded of."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "model_patches/unet"

    DEFAULTS = {"b1": 1.1, "b2": 1.2, "s1": 0.9, "s2": 0.2}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {
            "required": {**wires(model="MODEL"), **{name: number(n, 0.0, 10.0) for name, n in cls.DEFAULTS.items()}}
        }

    @staticmethod
    def weight(h: Tensor, strength: float) -> Tensor | float:
        """What half of the decoder's channels are multiplied by."""
        return strength

    @classmethod
    def execute(cls, model: Any, b1: float, b2: float, s1: float, s2: float) -> Output:
        """The model with its skips weighed so."""
        width = model.model.model_config.unet_config["model_channels"]
        scales = {width * 4: (b1, s1), width * 2: (b2, s2)}

        def patch(h: Tensor, hsp: Tensor, transformer_options: Any) -> tuple[Tensor, Tensor]:
            scale = scales.get(int(h.shape[1]))
            if scale is not None:
                half = h.shape[1] // 2
                h = torch.cat([h[:, :half] * cls.weight(h, scale[0]), h[:, half:]], dim=1)
                hsp = Fourier_filter(hsp, BOX, scale[1])
            return h, hsp

        changed = model.clone()
        changed.set_model_output_block_patch(patch)
        return Output(changed)

    patch = execute


class FreeU_V2(FreeU):
    """The same, more where a picture has much to say."""

    DEFAULTS = {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2}

    @staticmethod
    def weight(h: Tensor, strength: float) -> Tensor | float:
        """By the mean of all channels, from 1 where it is lowest to the strength where it is highest."""
        mean = h.mean(1, keepdim=True)
        low, high = mean.amin(dim=(2, 3), keepdim=True), mean.amax(dim=(2, 3), keepdim=True)
        return (strength - 1.0) * (mean - low) / (high - low) + 1.0
