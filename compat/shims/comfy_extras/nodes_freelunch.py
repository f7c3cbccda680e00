"""ComfyUI's nodes that weigh a UNet's skips anew. Source: node_behaviour.md 8; Si et al. 2023, arXiv 2309.11497."""

from typing import Any

from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, wires
from compat.sampling.engine_hooks import wear
from engine.steering import freeu


def Fourier_filter(x: Tensor, threshold: int, scale: float) -> Tensor:
    """Its lowest frequencies times a number. Shapes: x [B, C, H, W]."""
    return freeu.low_frequencies_scaled(x, scale, threshold)


class FreeU:
    """Strengthens what the decoder made, and weakens the coarse part of what it is reminded of."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "model_patches/unet"

    DEFAULTS = {"b1": 1.1, "b2": 1.2, "s1": 0.9, "s2": 0.2}
    weigh: freeu.Weigh = staticmethod(freeu.constant)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {
            "required": {**wires(model="MODEL"), **{name: number(n, 0.0, 10.0) for name, n in cls.DEFAULTS.items()}}
        }

    @classmethod
    def execute(cls, model: Any, b1: float, b2: float, s1: float, s2: float) -> Output:
        """The model with its skips weighed so."""
        width = model.model.model_config.unet_config["model_channels"]
        changed = model.clone()
        wear(changed, freeu.reweighing(width, (b1, s1), (b2, s2), cls.weigh))
        return Output(changed)

    patch = execute


class FreeU_V2(FreeU):
    """The same, more where a picture has much to say."""

    DEFAULTS = {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2}
    weigh: freeu.Weigh = staticmethod(freeu.by_structure)
