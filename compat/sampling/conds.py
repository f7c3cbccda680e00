"""Conditions as ComfyUI's sampler holds them, dictionaries, made ready for one latent.

Areas become cells and masks the latent's size, shares of the run become noise levels, the model turns texts into what
its network reads, and both signs of the guidance lend each other areas and hints.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.sampling.fitting import SMALLEST_BOUNDS
from engine.shapes import CELL

Cond = dict[str, Any]


def resolve_areas_and_cond_masks_multidim(conditions: list[Cond], dims: Sequence[int], device: torch.device) -> None:
    """Puts areas into cells of the latent and masks at its size, in the list itself.

    Shapes: dims are the latent's last axes, [h, w] or [t, h, w]. Areas are the sizes and then the starts of them.
    """
    for place, cond in enumerate(conditions):
        changes: Cond = {}
        area = cond.get("area")
        if area is not None:
            changes["area"] = _inside(_cells(area, dims), dims)
        if "mask" in cond:
            changes["mask"] = mask = _at_size(cond["mask"].to(device), dims)
            if cond.get("set_area_to_bounds"):
                changes["area"] = _inside(bounds(mask), dims)
        if changes:
            conditions[place] = {**cond, **changes}


def resolve_areas_and_cond_masks(conditions: list[Cond], h: int, w: int, device: torch.device) -> None:
    """The same for pictures of height h and width w in cells."""
    resolve_areas_and_cond_masks_multidim(conditions, [h, w], device)


def _cells(area: Sequence[Any], dims: Sequence[int]) -> tuple[int, ...]:
    if area[0] != "percentage":
        return tuple(int(each) for each in area)
    shares, count = area[1:], len(dims)
    sizes = tuple(max(1, round(share * size)) for share, size in zip(shares[:count], dims, strict=True))
    return sizes + tuple(round(share * size) for share, size in zip(shares[count:], dims, strict=True))


def _inside(area: Sequence[int], dims: Sequence[int]) -> tuple[int, ...]:
    count = len(dims)
    starts = tuple(min(start, size - 1) for start, size in zip(area[count:], dims, strict=True))
    sizes = zip(area[:count], starts, dims, strict=True)
    return tuple(min(size, limit - start) for size, start, limit in sizes) + starts


def _at_size(mask: Tensor, dims: Sequence[int]) -> Tensor:
    """A mask [H, W] or [M, H, W] (or with time) as [M, *dims]."""
    if mask.ndim == len(dims):
        mask = mask.unsqueeze(0)
    if tuple(mask.shape[1:]) == tuple(dims):
        return mask
    mode = "bilinear" if mask.ndim < 4 else "trilinear"
    return torch.nn.functional.interpolate(mask.float().unsqueeze(1), size=tuple(dims), mode=mode).squeeze(1)


def bounds(mask: Tensor) -> tuple[int, ...]:
    """The area around everything a mask holds, no smaller than networks can see. Shapes: mask [M, h, w]."""
    places = mask.abs().amax(dim=0).nonzero()
    if len(places) == 0:
        return (SMALLEST_BOUNDS,) * (mask.ndim - 1) + (0,) * (mask.ndim - 1)
    first, last = places.amin(0).tolist(), places.amax(0).tolist()
    sizes = tuple(max(SMALLEST_BOUNDS, high - low + 1) for low, high in zip(first, last, strict=True))
    return sizes + tuple(first)


def calculate_start_end_timesteps(model: Any, conds: list[Cond]) -> None:
    """Puts the noise levels of start_percent and end_percent beside them, in the list itself."""
    level = model.model_sampling.percent_to_sigma
    for place, cond in enumerate(conds):
        # A text that was encoded for a part of the run holds in that part only.
        starts = [cond[key] for key in ("start_percent", "clip_start_percent") if key in cond]
        ends = [cond[key] for key in ("end_percent", "clip_end_percent") if key in cond]
        if starts or ends:
            changed = dict(cond)
            if starts:
                changed["timestep_start"] = level(max(starts))
            if ends:
                changed["timestep_end"] = level(min(ends))
            conds[place] = changed


def encode_model_conds(
    model_function: Callable[..., dict[str, Any]],
    conds: list[Cond],
    noise: Tensor,
    device: torch.device,
    prompt_type: str,
    **kwargs: Any,
) -> list[Cond]:
    """Lets the model say what its network is to read for each condition: `model_conds`, by name of argument."""
    for place, cond in enumerate(conds):
        given = dict(cond)
        given.update(device=device, noise=noise)
        given["width"] = cond.get("width", noise.shape[-1] * CELL)
        given["height"] = cond.get("height", noise.shape[-2] * CELL)
        given["prompt_type"] = cond.get("prompt_type", prompt_type)
        given.update({key: value for key, value in kwargs.items() if key not in given})
        conds[place] = {**cond, "model_conds": {**cond.get("model_conds", {}), **model_function(**given)}}
    return conds


def create_cond_with_same_area_if_none(conds: list[Cond], c: Cond) -> None:
    """Gives a list a condition for the area of another one: its own text of the smallest area around that."""
    area = c.get("area")
    if area is None:
        return
    nearest = _nearest(conds, area)
    if nearest is not None and nearest.get("area") != area:
        conds.append({**c, "model_conds": dict(nearest["model_conds"])})


def _nearest(conds: list[Cond], area: tuple[int, ...]) -> Cond | None:
    """The condition with the smallest area around this one; failing that, one of the whole picture."""
    around = [each for each in conds if each.get("area") is not None and _encloses(each["area"], area)]
    if around:
        return min(around, key=lambda each: int(torch.tensor(each["area"][: len(area) // 2]).prod()))
    return next((each for each in conds if each.get("area") is None), None)


def _encloses(outer: tuple[int, ...], inner: tuple[int, ...]) -> bool:
    count = len(inner) // 2
    return all(
        outer[count + i] <= inner[count + i] and outer[count + i] + outer[i] >= inner[count + i] + inner[i]
        for i in range(count)
    )


def pre_run_control(model: Any, conds: list[Cond]) -> None:
    """Tells control objects that a run begins: of which model, and which noise level a share of the run is."""
    for cond in conds:
        if "control" in cond:
            cond["control"].pre_run(model, model.model_sampling.percent_to_sigma)


def apply_empty_x_to_equal_area(
    conds: list[Cond], uncond: list[Cond], name: str, uncond_fill_func: Callable[[list[Any], int], Any]
) -> None:
    """Lends what positive conditions of the whole picture have under a name to negative ones, in turn.

    Nothing is lent where a negative one of the whole picture has its own.
    """
    lent = [each[name] for each in conds if each.get("area") is None and each.get(name) is not None]
    takers = [place for place, each in enumerate(uncond) if each.get("area") is None]
    if not lent or not takers or any(uncond[place].get(name) is not None for place in takers):
        return
    for turn in range(len(lent)):
        place = takers[turn % len(takers)]
        uncond[place] = {**uncond[place], name: uncond_fill_func(lent, turn)}
