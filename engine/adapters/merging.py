"""Two models as one: weights mixed while they come to the device, so that merging costs nothing until then.

A merge is a change like a LoRA's, after those the first model has; the other model's changes are made before its
weight is taken. Changes that follow apply to what was mixed. Source: node_behaviour.md G.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from engine.adapters import alike
from engine.devices.patches import Patch, Patches, changed
from engine.values import Clip, Model

NOT_MERGED = (".position_ids", ".logit_scale")
"""What of a text encoder stays the first one's."""

Mix = tuple[float, float]
"""How much of the first weight, how much of the other."""


@dataclass(frozen=True, eq=False)
class Mixed:
    """A weight times `first`, plus another model's weight, with its own changes, times `second`."""

    name: str
    other: Tensor
    others_patches: tuple[Patch, ...]
    first: float
    second: float

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        own = weight * (1.0 + (self.first - 1.0) * strength)
        if self.second == 0 or self.other.shape != weight.shape:
            # ComfyUI: a weight of another shape is left out, the first one's factor counts all the same.
            return own
        other = changed(self.name, self.other, self.others_patches, weight.device)
        return own + self.second * strength * other.to(weight)


def models(model: Model, other: Model, mix: Callable[[str], Mix]) -> Model:
    """The first model with the other mixed in; `mix` says how much of both for each weight.

    What else a model is (its sampling, its latents, its hooks) comes from the first.

    Raises: CheckpointError, for models whose networks are not alike.
    """
    return model.with_patches(_mixed(model.part.weights, other.part.weights, other.patches, mix, "model"))


def clips(clip: Clip, other: Clip, mix: Mix) -> Clip:
    """The first text encoders with the others mixed in.

    Raises: CheckpointError, for encoders that are not alike.
    """
    ours = {name: weight for name, weight in clip.weights.items() if not name.endswith(NOT_MERGED)}
    return clip.with_patches(_mixed(ours, other.weights, other.patches, lambda name: mix, "clip"))


def by_block(ratios: Mapping[str, float]) -> Callable[[str], Mix]:
    """Ratios by how names of weights begin: the longest beginning that fits decides, else the first of them."""
    usual = next(iter(ratios.values()))

    def mix(name: str) -> Mix:
        fitting = [start for start in ratios if name.startswith(start)]
        ratio = ratios[max(fitting, key=len)] if fitting else usual
        return ratio, 1.0 - ratio

    return mix


def _mixed(
    ours: Mapping[str, Tensor],
    others: Mapping[str, Tensor],
    others_patches: Patches,
    mix: Callable[[str], Mix],
    what: str,
) -> Patches:
    found = {}
    for name in alike.common(ours, others, f"{what}1", f"{what}2", "merge two of the same family"):
        first, second = mix(name)
        if (first, second) != (1.0, 0.0):
            found[name] = (Patch(Mixed(name, others[name], others_patches.get(name, ()), first, second)),)
    return found
