"""Conditions fitted to one picture: areas in cells, masks at the latent's size, percents as noise levels.

Both signs of the guidance are looked at together here, because each borrows from the other: areas are mirrored, so
that both answers are about the same cut-out, and hints may be lent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn.functional import interpolate

from engine.conditioning import Area, Condition, ControlHint, Grounding
from engine.devices.tiles import faded
from engine.errors import SamplingError
from engine.sampling.table import SigmaTable
from engine.shapes import CELL, repeated_to_batch

# An area no smaller than this is cut around a mask, Stable Diffusion's networks being blind below it (ComfyUI).
SMALLEST_BOUNDS = 8
# How many cells an area fades in over, at most.
FEATHER = 8


@dataclass(frozen=True)
class Box:
    """A rectangle of latent cells, inside the picture."""

    height: int
    width: int
    y: int
    x: int

    def cut(self, x: Tensor) -> Tensor:
        """That part of a latent. Shapes: x [..., h, w]."""
        return x[..., self.y : self.y + self.height, self.x : self.x + self.width]

    def encloses(self, other: "Box") -> bool:
        """Whether the other lies within."""
        return (
            self.y <= other.y
            and self.x <= other.x
            and self.y + self.height >= other.y + other.height
            and self.x + self.width >= other.x + other.width
        )


@dataclass(frozen=True)
class Span:
    """The noise levels between which something holds, both included."""

    highest: float
    lowest: float

    @classmethod
    def of(cls, table: SigmaTable, start: float, end: float) -> "Span":
        """The noise levels between two shares of the run."""
        return cls(table.at_percent(start), table.at_percent(end))

    def holds(self, sigma: float) -> bool:
        """Whether it holds at this noise level."""
        return self.lowest <= sigma <= self.highest


@dataclass(frozen=True, eq=False)
class Fitted:
    """A condition on one picture: what is looked at (`box`, None = all of it) and when.

    Shapes: mask [M, 1, h, w] of the whole latent.
    """

    condition: Condition
    span: Span
    box: Box | None = None
    mask: Tensor | None = None
    hints: tuple[tuple[ControlHint, Span], ...] = ()
    grounding: Grounding | None = None

    def weight(self, like: Tensor) -> Tensor:
        """How much its answer counts, cell by cell.

        Shapes: like [B, C, h, w], the whole latent. Returns: [B or 1, 1, height, width] of the box.
        """
        height, width = like.shape[-2:]
        box = self.box or Box(height, width, 0, 0)
        if self.mask is not None:
            mask = repeated_to_batch(box.cut(self.mask.to(like)), len(like))
            return mask * (self.condition.mask_strength * self.condition.strength)
        rows = faded(box.height, min(FEATHER, box.height // 4), box.y > 0, box.y + box.height < height)
        columns = faded(box.width, min(FEATHER, box.width // 4), box.x > 0, box.x + box.width < width)
        return (rows.unsqueeze(1) * columns).to(like)[None, None] * self.condition.strength


def fit(
    positive: Sequence[Condition], negative: Sequence[Condition], size: tuple[int, int], table: SigmaTable
) -> tuple[list[Fitted], list[Fitted]]:
    """Both signs' conditions, fitted to a latent of a size and to each other.

    Units: size is height and width in latent cells.
    Raises: SamplingError, for an area outside the picture.
    """
    wanted, unwanted = fit_sides((positive, negative), size, table)
    return wanted, unwanted


def fit_sides(
    sides: Sequence[Sequence[Condition]], size: tuple[int, int], table: SigmaTable
) -> tuple[list[Fitted], ...]:
    """All sides' conditions, fitted to a latent of a size and to each other; the first side lends its hints.

    Units: size is height and width in latent cells.
    Raises: SamplingError, for an area outside the picture.
    """
    fitted = [[_fitted(condition, size, table) for condition in side] for side in sides]
    for side in fitted:
        known = list(side)
        for other in fitted:
            if other is not side:
                other.extend(_mirrored(known, other))
    first, *others = fitted
    return (first, *(_lent_grounding(first, _lent_hints(first, side)) for side in others))


def _fitted(condition: Condition, size: tuple[int, int], table: SigmaTable) -> Fitted:
    mask = None if condition.mask is None else fitted_mask(condition.mask, size)
    box = None if condition.area is None else _box(condition.area, size)
    if mask is not None and condition.area_from_mask:
        box = _inside(_bounds(mask), size)
    return Fitted(
        condition,
        Span.of(table, condition.start_percent, condition.end_percent),
        box,
        mask,
        tuple((hint, Span.of(table, hint.start, hint.end)) for hint in condition.control),
        condition.grounding,
    )


def _box(area: Area, size: tuple[int, int]) -> Box:
    if not area.is_share:
        return _inside(Box(int(area.height), int(area.width), int(area.y), int(area.x)), size)
    height, width = size
    return _inside(
        Box(
            max(1, round(area.height * height)),
            max(1, round(area.width * width)),
            round(area.y * height),
            round(area.x * width),
        ),
        size,
    )


def _inside(box: Box, size: tuple[int, int]) -> Box:
    height, width = size
    inside = replace(box, height=min(box.height, height - box.y), width=min(box.width, width - box.x))
    if min(inside.height, inside.width) < 1 or min(box.y, box.x) < 0:
        area, at, picture = (
            tuple(CELL * cells for cells in each) for each in ((box.width, box.height), (box.x, box.y), (width, height))
        )
        raise SamplingError(
            f"an area of {area[0]}×{area[1]} pixels at {at[0]}, {at[1]} lies outside the picture of "
            f"{picture[0]}×{picture[1]}; move it inside or make the picture larger"
        )
    return inside


def _bounds(mask: Tensor) -> Box:
    """The rectangle around everything a mask holds. Shapes: mask [M, 1, h, w]."""
    places = mask.abs().amax(dim=(0, 1)).nonzero()
    if len(places) == 0:
        return Box(SMALLEST_BOUNDS, SMALLEST_BOUNDS, 0, 0)
    (top, left), (bottom, right) = places.amin(0).tolist(), places.amax(0).tolist()
    return Box(max(SMALLEST_BOUNDS, bottom - top + 1), max(SMALLEST_BOUNDS, right - left + 1), top, left)


def _mirrored(side: Sequence[Fitted], other: Sequence[Fitted]) -> list[Fitted]:
    """For each area of one side, the text of the other side there, unless it has that area itself."""
    found: list[Fitted] = []
    for fitted in side:
        nearest = _nearest(fitted.box, [*other, *found]) if fitted.box is not None else None
        if nearest is None or nearest.box == fitted.box:
            continue
        text = nearest.condition
        condition = replace(
            fitted.condition,
            tokens=text.tokens,
            pooled=text.pooled,
            vector=text.vector,
            sizes=text.sizes,
            pictures=text.pictures,
            picture_merge=text.picture_merge,
            concat_latent=text.concat_latent,
            concat_mask=text.concat_mask,
            control_tokens=text.control_tokens,
            prompt_type=text.prompt_type,
            concat_image=text.concat_image,
            image_noise=text.image_noise,
        )
        found.append(replace(fitted, condition=condition))
    return found


def _nearest(box: Box | None, others: Sequence[Fitted]) -> Fitted | None:
    """The smallest area around a box; failing that, one of the whole picture."""
    around = [other for other in others if other.box is not None and box is not None and other.box.encloses(box)]
    if around:
        return min(around, key=lambda other: other.box.height * other.box.width if other.box is not None else 0)
    return next((other for other in others if other.box is None), None)


def _lent_hints(positive: Sequence[Fitted], negative: Sequence[Fitted]) -> list[Fitted]:
    """The negative side, with the hints that positive conditions lend it.

    ComfyUI: only between conditions of the whole picture, not when one of the negative has its own, and in turn where
    there are several.
    """
    lent = [f.hints for f in positive if f.box is None and f.condition.control_on_negative and f.hints]
    takers = [i for i, fitted in enumerate(negative) if fitted.box is None]
    result = list(negative)
    if not lent or not takers or any(negative[i].hints for i in takers):
        return result
    for turn, hints in enumerate(lent):
        place = takers[turn % len(takers)]
        result[place] = replace(result[place], hints=hints)
    return result


def _lent_grounding(positive: Sequence[Fitted], negative: Sequence[Fitted]) -> list[Fitted]:
    """The negative side, with what positive conditions say is where. ComfyUI: by the rule of hints, always."""
    lent = [f.grounding for f in positive if f.box is None and f.grounding is not None]
    takers = [i for i, fitted in enumerate(negative) if fitted.box is None]
    result = list(negative)
    if not lent or not takers or any(negative[i].grounding is not None for i in takers):
        return result
    for turn, grounding in enumerate(lent):
        place = takers[turn % len(takers)]
        result[place] = replace(result[place], grounding=grounding)
    return result


def fitted_mask(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """A mask of any size, stretched to the latent's.

    Shapes: mask [H, W], [M, H, W] or [M, 1, H, W]. Returns: [M, 1, h, w], float32.
    Raises: SamplingError, for what is no mask.
    """
    if mask.ndim < 2 or 0 in mask.shape:
        raise SamplingError(f"a mask has a height and a width, but this one has the shape {list(mask.shape)}")
    return interpolate(mask.float().reshape(-1, 1, *mask.shape[-2:]), size=size, mode="bilinear")
