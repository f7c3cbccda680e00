"""Hooks, masks and parts of the run on conditionings: lists of [tensor, options]."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

Conditioning = list[Any]


def conditioning_set_values(conditioning: Conditioning, values: Mapping[str, Any]) -> Conditioning:
    """A conditioning with these values in each of its entries."""
    return [[entry[0], {**entry[1], **values}, *entry[2:]] for entry in conditioning]


def set_hooks_for_conditioning(
    cond: Conditioning,
    hooks: Any | None,
    append_hooks: bool = True,
    cache: dict[Any, Any] | None = None,
) -> Conditioning:
    """A conditioning with these hooks on each entry, besides or in the place of those it has."""
    if hooks is None:
        return cond
    kept = {} if cache is None else cache
    found = []
    for tokens, options, *more in cond:
        before = options.get("hooks") if append_hooks else None
        key = (id(before), id(hooks))
        if key not in kept:
            kept[key] = hooks if before is None else before.clone_and_combine(hooks)
        found.append([tokens, {**options, "hooks": kept[key]}, *more])
    return found


def set_timesteps_for_conditioning(cond: Conditioning, timestep_range: tuple[float, float] | None) -> Conditioning:
    """A conditioning that holds for a part of the run."""
    if timestep_range is None:
        return cond
    return conditioning_set_values(cond, {"start_percent": timestep_range[0], "end_percent": timestep_range[1]})


def set_mask_for_conditioning(
    cond: Conditioning, mask: Tensor | None, set_cond_area: str, strength: float
) -> Conditioning:
    """A conditioning that holds where a mask is."""
    if mask is None:
        return cond
    values = {
        "mask": mask if mask.ndim > 2 else mask.unsqueeze(0),
        "set_area_to_bounds": set_cond_area != "default",
        "mask_strength": strength,
    }
    return conditioning_set_values(cond, values)


def combine_conditioning(conds: Iterable[Conditioning]) -> Conditioning:
    """All entries of all of them."""
    return [entry for cond in conds for entry in cond]


def set_conds_props(
    conds: list[Conditioning],
    strength: float,
    set_cond_area: str,
    mask: Tensor | None = None,
    hooks: Any | None = None,
    timesteps_range: tuple[float, float] | None = None,
    append_hooks: bool = True,
) -> list[Conditioning]:
    """Each conditioning with hooks, a mask and a part of the run."""
    cache: dict[Any, Any] = {}
    found = []
    for cond in conds:
        cond = set_hooks_for_conditioning(cond, hooks, append_hooks=append_hooks, cache=cache)
        cond = set_mask_for_conditioning(cond, mask, set_cond_area, strength)
        found.append(set_timesteps_for_conditioning(cond, timesteps_range))
    return found


def set_conds_props_and_combine(
    conds: list[Conditioning],
    new_conds: list[Conditioning],
    strength: float = 1.0,
    set_cond_area: str = "default",
    mask: Tensor | None = None,
    hooks: Any | None = None,
    timesteps_range: tuple[float, float] | None = None,
    append_hooks: bool = True,
) -> list[Conditioning]:
    """The new ones with those properties, after the old."""
    dressed = set_conds_props(new_conds, strength, set_cond_area, mask, hooks, timesteps_range, append_hooks)
    return [combine_conditioning(pair) for pair in zip(conds, dressed, strict=True)]


def set_default_conds_and_combine(
    conds: list[Conditioning],
    new_conds: list[Conditioning],
    hooks: Any | None = None,
    timesteps_range: tuple[float, float] | None = None,
    append_hooks: bool = True,
) -> list[Conditioning]:
    """The new ones for wherever no other holds, after the old."""
    cache: dict[Any, Any] = {}
    found = []
    for cond, new in zip(conds, new_conds, strict=True):
        new = set_hooks_for_conditioning(new, hooks, append_hooks=append_hooks, cache=cache)
        new = set_timesteps_for_conditioning(conditioning_set_values(new, {"default": True}), timesteps_range)
        found.append(combine_conditioning([cond, new]))
    return found
