"""ComfyUI's node that lets a grey mask decide when a place may change. Source: node_behaviour.md 8."""

from typing import Any

from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, wires
from compat.foreign import prediction_of
from engine.sampling.hooks import Level
from engine.steering.differential import opened


class DifferentialDiffusion:
    """Lets light grey change early and dark grey late. Source: Levin and Fried 2023, arXiv 2306.00950."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "execute"
    CATEGORY = "_for_testing"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(model="MODEL"), "optional": {"strength": number(1.0)}}

    @classmethod
    def execute(cls, model: Any, strength: float = 1.0) -> Output:
        """The model with that mask; below strength 1 mixed with the mask as it is."""
        changed = model.clone()
        changed.set_model_denoise_mask_function(
            lambda sigma, denoise_mask, extra_options: cls.forward(sigma, denoise_mask, extra_options, strength)
        )
        return Output(changed)

    apply = execute

    @classmethod
    def forward(cls, sigma: Tensor, denoise_mask: Tensor, extra_options: dict[str, Any], strength: float) -> Tensor:
        """The mask of this step: wholly open where it is above the share of the way that is left."""
        table = prediction_of(extra_options["model"].inner_model.model_sampling, None).table
        return opened(Level(sigma[0], extra_options["sigmas"], table), denoise_mask, strength)
