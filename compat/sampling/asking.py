"""Asking the network about conditions: which hold, which go into one batch, and how their answers are put together.

The parts behind comfy.samplers.calc_cond_batch. Everything that plugins replace is looked up through comfy.samplers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.sampling.fitting import FEATHER
from engine.shapes import repeated_to_batch

NEARLY_NOTHING = 1e-37
"""Keeps cells that no condition speaks for at 0, not at 0 / 0."""

ROOM_NEEDED = 1.5
"""Memory that must be free for a batch, as a multiple of what its activations are said to take (ComfyUI)."""


class CondObj(NamedTuple):
    """A condition at this noise level: the cut-out it is about, what its answer counts there, and what is asked.

    Shapes: input_x and mult [B, C, …]; area is sizes and starts of the last axes, None for the whole latent.
    """

    input_x: Tensor
    mult: Tensor
    conditioning: dict[str, Any]
    area: Sequence[int] | None
    control: Any
    patches: dict[str, list[Any]] | None
    uuid: Any = None
    hooks: Any = None


@dataclass
class Sums:
    """The weighed answers of one list of conditions, and the weights, of the whole latent's shape."""

    total: Tensor
    weight: Tensor

    @classmethod
    def like(cls, x: Tensor) -> "Sums":
        """Nothing yet."""
        return cls(torch.zeros_like(x), torch.full_like(x, NEARLY_NOTHING))

    def add_(self, answer: Tensor, question: CondObj) -> None:
        """One more answer, at its place."""
        cut(self.total, question.area).add_(answer * question.mult)
        cut(self.weight, question.area).add_(question.mult)

    def mean(self) -> Tensor:
        """The answers by their weights."""
        return self.total / self.weight


@dataclass
class Batch:
    """Questions that go to the network together, with the list each is of (0 positive, 1 negative …)."""

    questions: list[CondObj] = field(default_factory=list)
    signs: list[int] = field(default_factory=list)


def get_area_and_mult(conds: dict[str, Any], x_in: Tensor, timestep_in: Tensor) -> CondObj | None:
    """A condition as a question about a latent at a noise level; None while it does not hold.

    Shapes: x_in [B, C, …]; timestep_in [B], noise levels.
    """
    level = timestep_in[0]
    if ("timestep_start" in conds and level > conds["timestep_start"]) or (
        "timestep_end" in conds and level < conds["timestep_end"]
    ):
        return None
    area = conds.get("area")
    input_x = cut(x_in, area)
    model_conds = conds["model_conds"]
    asked = {key: model_conds[key].process_cond(batch_size=len(x_in), area=area) for key in model_conds}
    mult = _weight(conds, x_in, input_x, area)
    control, hooks = conds.get("control"), conds.get("hooks")
    return CondObj(input_x, mult, asked, area, control, _gligen(conds, input_x), conds.get("uuid"), hooks)


def cut(x: Tensor, area: Sequence[int] | None) -> Tensor:
    """That part of a latent, as a view."""
    if area is None:
        return x
    count = len(area) // 2
    for axis in range(count):
        x = x.narrow(x.ndim - count + axis, int(area[count + axis]), int(area[axis]))
    return x


def _weight(conds: dict[str, Any], x: Tensor, input_x: Tensor, area: Sequence[int] | None) -> Tensor:
    strength = conds.get("strength", 1.0)
    if "mask" in conds:
        mask = repeated_to_batch(cut(conds["mask"].to(x), area), len(x)).unsqueeze(1)
        weighed: Tensor = mask.expand_as(input_x) * (conds.get("mask_strength", 1.0) * strength)
        return weighed
    weight = torch.ones_like(input_x)
    for axis, (size, start) in enumerate(zip(*_halves(area), strict=True)):
        place = x.ndim - len(area or ()) // 2 + axis
        fade = min(FEATHER, size // 4)
        for step in range(fade):
            if start > 0:
                weight.narrow(place, step, 1).mul_((step + 1) / fade)
            if start + size < x.shape[place]:
                weight.narrow(place, size - 1 - step, 1).mul_((step + 1) / fade)
    return weight * float(strength)


def _halves(area: Sequence[int] | None) -> tuple[Sequence[int], Sequence[int]]:
    return ((), ()) if area is None else (area[: len(area) // 2], area[len(area) // 2 :])


def _gligen(conds: dict[str, Any], x: Tensor) -> dict[str, list[Any]] | None:
    if conds.get("gligen") is None:
        return None
    kind, patcher, boxes = conds["gligen"][:3]
    model = patcher.model
    placed = model.set_position(x.shape, boxes, x.device) if kind == "position" else model.set_empty(x.shape, x.device)
    return {"middle_patch": [placed]}


def cond_equal_size(c1: dict[str, Any], c2: dict[str, Any]) -> bool:
    """Whether what two conditions ask has the same names and goes into one batch under each."""
    return c1 is c2 or (c1.keys() == c2.keys() and all(c1[key].can_concat(c2[key]) for key in c1))


def can_concat_cond(c1: CondObj, c2: CondObj) -> bool:
    """Whether two questions may go to the network together."""
    return (
        c1.input_x.shape == c2.input_x.shape
        and c1.control is c2.control
        and _same_patches(c1.patches, c2.patches)
        and cond_equal_size(c1.conditioning, c2.conditioning)
    )


def _same_patches(a: dict[str, list[Any]] | None, b: dict[str, list[Any]] | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.keys() == b.keys() and all(
        len(a[key]) == len(b[key]) and all(x is y for x, y in zip(a[key], b[key], strict=True)) for key in a
    )


def cond_cat(c_list: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What several questions ask, as one batch: the values under each name, one below the other."""
    return {key: first.concat([each[key] for each in c_list[1:]]) for key, first in c_list[0].items()}


def leftovers(questions: Sequence[tuple[int, CondObj]], sign: int, x: Tensor) -> Tensor:
    """Where the conditions of one list do not add up to 1, and by how much. Returns: x's shape, 0 … 1."""
    left = torch.ones_like(x)
    for other, question in questions:
        if other == sign:
            cut(left, question.area).sub_(question.mult)
    return left.clamp(min=0)


def shapes_of(questions: Sequence[CondObj]) -> dict[str, list[list[int]]]:
    """The sizes of what they ask, by name, for estimates of memory."""
    found: dict[str, list[list[int]]] = {}
    for question in questions:
        for key, value in question.conditioning.items():
            found.setdefault(key, []).append(list(value.size()))
    return found
