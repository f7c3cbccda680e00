"""Latents taken apart, put together and mixed, with what goes with them: masks and places of the noise.

A latent is a dict: `samples` [B, C, h, w] (or with frames [B, C, F, h, w]), perhaps `noise_mask` [M, 1, H, W] of any
size, and `batch_index`, which says whose noise each one gets. None is ever changed.

Source: node_behaviour.md 2.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.images import resize
from engine.shapes import CELL, repeated_to_batch

Latent = Mapping[str, Any]
Made = dict[str, Any]

SMALLEST = 8  # cells that a crop leaves at least, where there are as many


# ------------------------------------------------------------------------------------------------------------- batches


def places(latent: Latent) -> list[int]:
    """Whose noise each one gets; the first one the first, where nothing else is said."""
    return [*latent.get("batch_index", range(len(latent["samples"])))]


def part_of_batch(latent: Latent, first: int, count: int) -> Made:
    """So many of a batch from there on; each keeps the noise of its old place."""
    x = latent["samples"]
    first = min(len(x) - 1, first)
    end = first + min(len(x) - first, count)
    made: Made = {**latent, "samples": x[first:end].clone()}
    masks = latent.get("noise_mask")
    if masks is not None and len(masks) > 1:
        made["noise_mask"] = repeated_to_batch(masks, len(x))[first:end].clone()
    made["batch_index"] = places(latent)[first:end]
    return made


def repeated(latent: Latent, amount: int) -> Made:
    """A whole batch so often; where places are said, every repeat gets places of its own."""
    made: Made = {**latent, "samples": _repeated(latent["samples"], amount)}
    masks = latent.get("noise_mask")
    if masks is not None and len(masks) > 1:
        # ComfyUI: the masks as they are, not those of the whole batch.
        made["noise_mask"] = _repeated(masks, amount)
    index = latent.get("batch_index")
    if index is not None:
        offset = max(index) - min(index) + 1
        made["batch_index"] = [place + i * offset for i in range(amount) for place in index]
    return made


def _repeated(x: Tensor, amount: int) -> Tensor:
    return x.repeat(amount, *[1] * (x.ndim - 1))


def joined(latent1: Latent, latent2: Latent) -> Made:
    """Both in one batch, the second ones at the size of the first; each keeps the noise of its place.

    Raises: SamplingError, when they are of different kinds.
    """
    first = latent1["samples"]
    second = fitted(latent2["samples"], first)
    return {
        **latent1,
        "samples": torch.cat([first, second]),
        "batch_index": places(latent1) + places(latent2),
    }


def with_same_noise(latent: Latent) -> Made:
    """All of a batch with the noise of the first."""
    return {**latent, "batch_index": places(latent)[:1] * len(latent["samples"])}


def with_own_noise(latent: Latent) -> Made:
    """Every one with noise of its own, as a new batch has."""
    return {name: value for name, value in latent.items() if name != "batch_index"}


# -------------------------------------------------------------------------------------------------------------- mixing


def fitted(x: Tensor, like: Tensor, method: str = "bilinear") -> Tensor:
    """A latent at another's size, cut to its proportions. Raises: SamplingError, when they are of different kinds."""
    if x.ndim != like.ndim or x.shape[1:-2] != like.shape[1:-2]:
        raise SamplingError(
            f"one latent has {_kind(like)}, the other {_kind(x)}; both must be made by the same model family."
        )
    x = x.to(like)
    same = x.shape[-2:] == like.shape[-2:]
    return x if same else resize(x, like.shape[-1], like.shape[-2], method, "center")


def _kind(x: Tensor) -> str:
    frames = f" and {x.shape[2]} frames" if x.ndim == 5 else ""
    return f"{x.shape[1]} channels{frames}"


def like_first(x: Tensor, first: Tensor) -> Tensor:
    """The second latent of an operation at the size and batch of the first."""
    return repeated_to_batch(fitted(x, first), len(first))


def blended(x: Tensor, other: Tensor, share: float) -> Tensor:
    """So much of the first, and for the rest the other one; batches are as many, or one. Raises: SamplingError."""
    other = fitted(other, x, "bicubic")
    if len(other) not in (1, len(x)) and len(x) != 1:
        raise SamplingError(
            f"samples1 holds {len(x)} latents and samples2 {len(other)}; give as many, or one of either."
        )
    return x * share + other * (1 - share)


def interpolated(x: Tensor, other: Tensor, share: float) -> Tensor:
    """Between two latents: the direction of every cell's vector, and its length, both so much of the first."""
    other = like_first(other, x)
    direction = _unit(_unit(x) * share + _unit(other) * (1.0 - share))
    return direction * (_length(x) * share + _length(other) * (1.0 - share))


def _length(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=1, keepdim=True)


def _unit(x: Tensor) -> Tensor:
    return (x / _length(x)).nan_to_num(0.0)


# ------------------------------------------------------------------------------------------------------------- cutting


def cropped(x: Tensor, width: int, height: int, left: int, top: int) -> Tensor:
    """A rectangle of a latent; smaller at the borders. Units: cells."""
    left = min(left, max(0, x.shape[-1] - SMALLEST))
    top = min(top, max(0, x.shape[-2] - SMALLEST))
    return x[..., top : top + height, left : left + width]


AXES = {"x": -1, "y": -2, "t": -3}


def cut(x: Tensor, axis: str, index: int, amount: int) -> Tensor:
    """A strip of a latent, or some of its frames; below 0 the index counts from the end. Units: cells, frames.

    Raises: SamplingError, for frames where there are none.
    """
    dimension = _axis(x, axis)
    size = x.shape[dimension]
    start = max(0, size + index) if index < 0 else min(index, size - 1)
    return x.narrow(dimension, start, min(amount, size - start))


def put_together(x: Tensor, other: Tensor, axis: str) -> Tensor:
    """Two latents beside, below or after each other; "-x" and so on puts the second one first.

    Raises: SamplingError, when what they share differs.
    """
    dimension = _axis(x, axis.removeprefix("-"))
    other = repeated_to_batch(other.to(x), len(x))
    sides = [[size for i, size in enumerate(each.shape) if i - each.ndim != dimension] for each in (x, other)]
    if x.ndim != other.ndim or sides[0] != sides[1]:
        raise SamplingError(
            f"samples1 is {list(x.shape)} and samples2 {list(other.shape)}; they must be alike but along {axis[-1]}."
        )
    return torch.cat([other, x] if axis.startswith("-") else [x, other], dim=dimension)


def _axis(x: Tensor, axis: str) -> int:
    if axis == "t" and x.ndim < 5:
        raise SamplingError("the latent has no frames; dim t is for videos, take x or y.")
    return AXES[axis]


# ---------------------------------------------------------------------------------------------------------- rebatching


def rebatched(latents: Sequence[Latent], size: int) -> list[Made]:
    """All latents in batches of one size, in their order; where the picture size changes a new batch begins.

    Raises: SamplingError, when masks of different sizes meet in one batch.
    """
    made: list[Made] = []
    waiting: list[Made] = []
    for each in _single(latents):
        if waiting and waiting[0]["samples"].shape[1:] != each["samples"].shape[1:]:
            made.append(_stacked(waiting))
            waiting = []
        waiting.append(each)
        if len(waiting) == size:
            made.append(_stacked(waiting))
            waiting = []
    return [*made, _stacked(waiting)] if waiting else made


def _single(latents: Sequence[Latent]) -> Iterator[Made]:
    count = 0
    for latent in latents:
        x = latent["samples"]
        masks = latent.get("noise_mask")
        if masks is None:
            masks = x.new_ones(1, 1, x.shape[-2] * CELL, x.shape[-1] * CELL)
        index = latent.get("batch_index") or range(count, count + len(x))
        count += len(x)
        masks = repeated_to_batch(masks.reshape(-1, 1, *masks.shape[-2:]), len(x))
        for i, place in enumerate(index):
            yield {"samples": x[i : i + 1], "noise_mask": masks[i : i + 1], "batch_index": [place]}


def _stacked(group: Sequence[Made]) -> Made:
    sizes = {tuple(each["noise_mask"].shape[-2:]) for each in group}
    if len(sizes) > 1:
        # ComfyUI: masks are not resized to each other either.
        named = ", ".join("×".join(map(str, reversed(size))) for size in sorted(sizes))
        raise SamplingError(f"latents: noise masks of different sizes ({named}) cannot be in one batch; resize them.")
    made: Made = {name: torch.cat([each[name] for each in group]) for name in ("samples", "noise_mask")}
    if made["noise_mask"].mean() == 1.0:
        del made["noise_mask"]
    return {**made, "batch_index": [place for each in group for place in each["batch_index"]]}
