"""Nodes that say where and when a text guides the picture. None of them changes the conditioning it was given."""

from typing import Annotated, Literal

from engine.graph.define import Widget, node
from nodes.convert import need_mask, with_options
from nodes.types import MAX_SIDE, Conditioning, Mask, Percent, Strength

AreaSide = Annotated[int, Widget(min=64, max=MAX_SIDE, step=8, tooltip="In pixels.")]
AreaStart = Annotated[int, Widget(min=0, max=MAX_SIDE, step=8, tooltip="In pixels from the left or the top.")]

CELL = 8  # Pixels per latent cell. Source: node_behaviour 1.2.


@node("ConditioningCombine", category="conditioning", display_name="Conditioning (Combine)")
def conditioning_combine(*, conditioning_1: Conditioning, conditioning_2: Conditioning) -> Conditioning:
    """Let both guide the picture, each by its strength."""
    return [*conditioning_1, *conditioning_2]


@node("ConditioningSetArea", category="conditioning", display_name="Conditioning (Set Area)")
def conditioning_set_area(
    *,
    conditioning: Conditioning,
    width: AreaSide = 64,
    height: AreaSide = 64,
    x: AreaStart = 0,
    y: AreaStart = 0,
    strength: Strength = 1.0,
) -> Conditioning:
    """Let a text guide one rectangle of the picture."""
    area = (height // CELL, width // CELL, y // CELL, x // CELL)
    return with_options(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node("ConditioningSetMask", category="conditioning", display_name="Conditioning (Set Mask)")
def conditioning_set_mask(
    *,
    conditioning: Conditioning,
    mask: Mask,
    strength: Strength = 1.0,
    set_cond_area: Literal["default", "mask bounds"],
) -> Conditioning:
    """Let a text guide the masked part of the picture.

    set_cond_area: "mask bounds" shows the model only the rectangle around the mask, "default" the whole picture.
    """
    mask = need_mask(mask, "mask")[:, 0]
    bounds = set_cond_area != "default"
    return with_options(conditioning, mask=mask, mask_strength=strength, set_area_to_bounds=bounds)


@node("ConditioningSetTimestepRange", category="advanced/conditioning")
def conditioning_set_timestep_range(
    *, conditioning: Conditioning, start: Percent = 0.0, end: Percent = 1.0
) -> Conditioning:
    """Let a text guide only a part of the steps."""
    return with_options(conditioning, start_percent=start, end_percent=end)
