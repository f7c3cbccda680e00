"""The projections of attention layers, multiplied: experiments with what a network looks at, and how strongly.

A factor on queries or keys makes attention sharper or flatter, one on values or the output louder or quieter. Weights
and biases are both multiplied, so that it is the projection's result that is.

Source: the pages of CLIPAttentionMultiply, UNetSelfAttentionMultiply, UNetCrossAttentionMultiply and
UNetTemporalAttentionMultiply on docs.comfy.org. They do not say which projection the last one means by "how much
influence each attention type has on the model's output"; the output's is our choice.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from engine.devices.patches import Patch, Patches

OUT = "to_out.0"

IN_UNET = {"q": "to_q", "k": "to_k", "v": "to_v", "out": OUT}
IN_TEXT = {each: f"self_attn.{each}_proj" for each in ("q", "k", "v", "out")}
"""What attention's projections are called in each kind of network."""

OVER_TIME = (".time_stack.", ".time_mix_blocks.")
"""How names of layers show that they look at other moments and not at other places."""


@dataclass(frozen=True)
class Scaled:
    """A weight times a factor."""

    factor: float

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        return weight * (1.0 + (self.factor - 1.0) * strength)


def of_unet(weights: Iterable[str], layer: str, factors: Mapping[str, float]) -> Patches:
    """The projections of one of a UNet's attentions ("attn1" to itself, "attn2" to the text), by q, k, v and out."""
    return _multiplied(weights, {f".{layer}.{IN_UNET[each]}": factor for each, factor in factors.items()})


def of_text(weights: Iterable[str], factors: Mapping[str, float]) -> Patches:
    """The projections of text encoders' attention, by q, k, v and out."""
    return _multiplied(weights, {f".{IN_TEXT[each]}": factor for each, factor in factors.items()})


def by_place_and_time(
    weights: Iterable[str], structural: Mapping[str, float], temporal: Mapping[str, float]
) -> Patches:
    """What attention adds, by kind of layer: of those that look at places, and of those that look at moments.

    Networks for single pictures have none of the latter, so that there is nothing to multiply.
    """
    over_time = {name for name in weights if any(each in name for each in OVER_TIME)}
    rest = [name for name in weights if name not in over_time]
    return {
        **_multiplied(rest, {f".{layer}.{OUT}": factor for layer, factor in structural.items()}),
        **_multiplied(over_time, {f".{layer}.{OUT}": factor for layer, factor in temporal.items()}),
    }


def _multiplied(weights: Iterable[str], by_ending: Mapping[str, float]) -> Patches:
    found = {}
    for name in weights:
        module, _, leaf = name.rpartition(".")
        factor = next((each for end, each in by_ending.items() if module.endswith(end)), 1.0)
        if leaf in ("weight", "bias") and not math.isclose(factor, 1.0):
            found[name] = (Patch(Scaled(factor)),)
    return found
