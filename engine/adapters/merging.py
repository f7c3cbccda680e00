"""Two models as one: weights mixed while they come to the device, so that merging costs nothing until then.

A merge is a change like a LoRA's, after those the first model has; the other model's changes are made before its
weight is taken. Changes that follow apply to what was mixed. Source: node_behaviour.md G.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from engine.devices.patches import Patch, Patches, changed
from engine.errors import CheckpointError
from engine.values import Clip, Model

log = logging.getLogger(__name__)

FEW = 4
"""Weights that may differ in shape between models of one family: the first convolution (more channels in) and the last
(more out)."""

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
    common = [name for name in ours if name in others]
    _check_alike(ours, others, common, what)
    found = {}
    for name in common:
        first, second = mix(name)
        if (first, second) != (1.0, 0.0):
            found[name] = (Patch(Mixed(name, others[name], others_patches.get(name, ()), first, second)),)
    return found


def _check_alike(ours: Mapping[str, Tensor], others: Mapping[str, Tensor], common: Sequence[str], what: str) -> None:
    wrong = [name for name in common if ours[name].shape != others[name].shape]
    examples = [f"{name} {list(ours[name].shape)} and {list(others[name].shape)}" for name in wrong[:3]]
    if len(wrong) > FEW or not common:
        raise CheckpointError(
            f"{what}2 is of another family than {what}1: {len(common)} of {len(ours)} weights have the same names, "
            f"{len(wrong)} of these other shapes ({'; '.join(examples) or 'none in common'}); "
            f"merge two of the same family"
        )
    if wrong:
        log.warning(
            "merging: %d weights of %s2 have other shapes and are left out: %s", len(wrong), what, "; ".join(examples)
        )
    alone = sorted(set(ours) ^ set(others))
    if alone:
        log.info("merging: %d weights are in one of the two only and stay as they are: %s", len(alone), alone[:3])
