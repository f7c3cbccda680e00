"""ComfyUI's nodes that join latents. Source: node_behaviour.md 2."""

from collections.abc import Sequence
from typing import Any

import comfy
from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import wires
from engine.pictures import latents


def reshape_latent_to(target_shape: Sequence[int], latent: Tensor, repeat_batch: bool = True) -> Tensor:
    """A latent at another's size, cut to its proportions, and repeated to its batch where that is asked for."""
    if tuple(latent.shape[1:]) != tuple(target_shape[1:]):
        latent = comfy.utils.common_upscale(latent, target_shape[-1], target_shape[-2], "bilinear", "center")
    return comfy.utils.repeat_to_batch_size(latent, target_shape[0]) if repeat_batch else latent


class LatentBatch:
    """Puts latents into one batch."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "execute"
    CATEGORY = "latent/batch"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(samples1="LATENT", samples2="LATENT")}

    @classmethod
    def execute(cls, samples1: dict[str, Any], samples2: dict[str, Any]) -> Output:
        """The second ones at the size of the first, after them; each keeps the noise of its place."""
        return Output(latents.joined(samples1, samples2))

    batch = execute
