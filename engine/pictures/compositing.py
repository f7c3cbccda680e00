"""Pictures and latents laid over each other. Source: node_behaviour.md 2 and 4."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from engine.errors import ImageError
from engine.images import resize, resize_image, resize_mask
from engine.shapes import repeated_to_batch

# ------------------------------------------------------------------------------------------------------------- pasting


def paste_(
    destination: Tensor,
    source: Tensor,
    x: int,
    y: int,
    mask: Tensor | None = None,
    cell: int = 1,
    resize_source: bool = False,
) -> Tensor:
    """The source in the destination, which is changed in place; a mask of any size weighs the source.

    Shapes: destination, source [B, C, H, W] (or with frames, [B, C, F, H, W]); mask [..., H, W].
    Units: x and y in pixels, of which a cell has `cell`.
    Raises: ImageError, when the channels or frames differ.
    """
    source = source.to(destination)
    _need_same_kind(destination, source, "destination", "source")
    if resize_source:
        source = resize(source, destination.shape[-1], destination.shape[-2], "bilinear")
    source = repeated_to_batch(source, len(destination))
    left, top = (
        _place(x, source.shape[-1], destination.shape[-1], cell),
        _place(y, source.shape[-2], destination.shape[-2], cell),
    )
    rows = slice(max(0, top), min(destination.shape[-2], top + source.shape[-2]))
    columns = slice(max(0, left), min(destination.shape[-1], left + source.shape[-1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        inner = (..., slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        weight = _weight(source, mask)[inner]
        here = destination[..., rows, columns]
        here.copy_(weight * source[inner] + (1.0 - weight) * here)
    return destination


def _need_same_kind(destination: Tensor, source: Tensor, below: str, above: str) -> None:
    if source.ndim != destination.ndim or source.shape[1:-2] != destination.shape[1:-2]:
        raise ImageError(
            f"{above} has {_kind(source)} and {below} {_kind(destination)}; both must be of the same kind."
        )


def _kind(x: Tensor) -> str:
    return f"{x.shape[1]} channels" + (f" and {x.shape[2]} frames" if x.ndim == 5 else "")


def _place(pixels: int, source: int, destination: int, cell: int) -> int:
    return max(-source * cell, min(pixels, destination * cell)) // cell


def _weight(source: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return torch.ones_like(source[:, :1])
    masks = resize_mask(mask.to(source), source.shape[-1], source.shape[-2])
    masks = repeated_to_batch(masks, len(source))
    return masks if source.ndim == 4 else masks[:, :, None]


def paste_faded_(destination: Tensor, source: Tensor, x: int, y: int, fade: int) -> Tensor:
    """The source in the destination, which is changed in place; its edges inside the picture fade over `fade` cells.

    Shapes: destination, source [B, C, H, W], or with frames. Units: cells.
    Raises: ImageError, when the channels, frames or batches differ.
    """
    _need_same_kind(destination, source, "samples_to", "samples_from")
    if len(source) not in (1, len(destination)):
        raise ImageError(
            f"samples_from holds {len(source)} latents and samples_to {len(destination)}; give one latent or as many."
        )
    height, width = destination.shape[-2] - y, destination.shape[-1] - x
    pasted = source[..., : max(0, height), : max(0, width)]
    rows = _faded(pasted.shape[-2], fade, y != 0, pasted.shape[-2] < height)
    columns = _faded(pasted.shape[-1], fade, x != 0, pasted.shape[-1] < width)
    weight = (rows[:, None] * columns).to(pasted)
    here = destination[..., y : y + pasted.shape[-2], x : x + pasted.shape[-1]]
    here.copy_(pasted * weight + here * (1 - weight))
    return destination


def _faded(size: int, fade: int, at_start: bool, at_end: bool) -> Tensor:
    """1, with a ramp at each end that fades."""
    weight = torch.ones(size)
    count = min(fade, size)
    ramp = torch.arange(1, count + 1) / max(fade, 1)
    if at_start:
        weight[:count] *= ramp
    if at_end and count:
        weight[-count:] *= ramp.flip(0)
    return weight


# --------------------------------------------------------------------------------------------------------------- alpha


def with_channels_of(source: Tensor, destination: Tensor, above: str = "source", below: str = "destination") -> Tensor:
    """The source without the channels that the destination lacks; `above` and `below` are what users call them.

    Shapes: [B, H, W, C]. Raises: ImageError, when it is the source that lacks some, as in ComfyUI.
    """
    have, wanted = source.shape[-1], destination.shape[-1]
    if have < wanted:
        hint = "bring both to as many"
        if (have, wanted) == (3, 4):
            hint = f"take the alpha off {below} (SplitImageWithAlpha), or give {above} one (JoinImageWithAlpha)"
        raise ImageError(f"{below} has {wanted} channels and {above} only {have}; {hint}.")
    return source[..., :wanted]


def with_alpha(image: Tensor, mask: Tensor) -> Tensor:
    """Pictures made transparent where a mask of any size says; as many as the smaller of both batches.

    Shapes: image [B, H, W, C], mask [B, H, W]. Returns: [B, H, W, 4].
    """
    count = min(len(image), len(mask))
    opaque = 1.0 - resize_mask(mask[:count], image.shape[2], image.shape[1]).movedim(1, -1)
    return torch.cat((image[:count, ..., :3], opaque.to(image)), dim=-1)


def without_alpha(image: Tensor) -> tuple[Tensor, Tensor]:
    """The colours [B, H, W, 3], and a mask [B, H, W] that is 1 where they were transparent."""
    opaque = image[..., 3] if image.shape[-1] > 3 else torch.ones_like(image[..., 0])
    return image[..., :3], 1.0 - opaque


# ------------------------------------------------------------------------------------------------------------ blending

BLEND_MODES = ("normal", "multiply", "screen", "overlay", "soft_light", "difference")

Mix = Callable[[Tensor, Tensor, str], Tensor]


def mixed(a: Tensor, b: Tensor, mode: str) -> Tensor:
    """The picture b laid over a. Raises: ImageError, for an unknown mode."""
    match mode:
        case "normal":
            return b
        case "multiply":
            return a * b
        case "screen":
            return 1 - (1 - a) * (1 - b)
        case "overlay":
            return torch.where(a <= 0.5, 2 * a * b, 1 - 2 * (1 - a) * (1 - b))
        case "soft_light":
            lifted = torch.where(a <= 0.25, ((16 * a - 12) * a + 4) * a, a.sqrt())
            return torch.where(b <= 0.5, a - (1 - 2 * b) * a * (1 - a), a + (2 * b - 1) * (lifted - a))
        case "difference":
            return a - b  # ComfyUI: with its sign
    raise ImageError(f"blend_mode {mode!r}: expected one of {', '.join(BLEND_MODES)}")


def blended(image1: Tensor, image2: Tensor, share: float, mode: str, mix: Mix = mixed) -> Tensor:
    """The first picture with so much of its mixture with the second in it.

    Shapes: [B, H, W, C]; the second is brought to the size of the first. Raises: ImageError.
    """
    image2 = with_channels_of(image2.to(image1), image1, "image2", "image1")
    if image1.shape[1:] != image2.shape[1:]:
        image2 = resize_image(image2, image1.shape[2], image1.shape[1], "bicubic", "center")
    if len({1, len(image1), len(image2)}) > 2:
        raise ImageError(f"image1 holds {len(image1)} pictures and image2 {len(image2)}; give one picture, or as many.")
    return (image1 * (1 - share) + mix(image1, image2, mode) * share).clamp(0, 1)


# --------------------------------------------------------------------------------------------------------- Porter-Duff

Layer = tuple[Tensor, Tensor]
"""Colours times opacity [B, H, W, C], and the opacity [B, H, W, 1]."""


def _add(c: Tensor, a: Tensor, d: Tensor, b: Tensor) -> Layer:
    return (c + d).clamp(0, 1), (a + b).clamp(0, 1)


def _overlay(c: Tensor, a: Tensor, d: Tensor, b: Tensor) -> Layer:
    return torch.where(2 * d < b, 2 * c * d, a * b - 2 * (b - c) * (a - d)), a + b - a * b


_MODES: Mapping[str, Callable[[Tensor, Tensor, Tensor, Tensor], Layer]] = {
    "ADD": _add,
    "CLEAR": lambda c, a, d, b: (torch.zeros_like(d), torch.zeros_like(b)),
    "DARKEN": lambda c, a, d, b: ((1 - b) * c + (1 - a) * d + torch.minimum(c, d), a + b - a * b),
    "DST": lambda c, a, d, b: (d, b),
    "DST_ATOP": lambda c, a, d, b: (a * d + (1 - b) * c, a),
    "DST_IN": lambda c, a, d, b: (d * a, a * b),
    "DST_OUT": lambda c, a, d, b: ((1 - a) * d, (1 - a) * b),
    "DST_OVER": lambda c, a, d, b: (d + (1 - b) * c, b + (1 - b) * a),
    "LIGHTEN": lambda c, a, d, b: ((1 - b) * c + (1 - a) * d + torch.maximum(c, d), a + b - a * b),
    "MULTIPLY": lambda c, a, d, b: (c * d, a * b),
    "OVERLAY": _overlay,
    "SCREEN": lambda c, a, d, b: (c + d - c * d, a + b - a * b),
    "SRC": lambda c, a, d, b: (c, a),
    "SRC_ATOP": lambda c, a, d, b: (b * c + (1 - a) * d, b),
    "SRC_IN": lambda c, a, d, b: (c * b, a * b),
    "SRC_OUT": lambda c, a, d, b: ((1 - b) * c, (1 - b) * a),
    "SRC_OVER": lambda c, a, d, b: (c + (1 - a) * d, a + (1 - a) * b),
    "XOR": lambda c, a, d, b: ((1 - b) * c + (1 - a) * d, (1 - b) * a + (1 - a) * b),
}
"""(source colour, source opacity, destination colour, destination opacity) → the same of the result.

Source: Porter and Duff 1984, "Compositing Digital Images"; the modes beyond theirs as the page on Android's
PorterDuff.Mode writes them, so that DARKEN, LIGHTEN and OVERLAY are what their names say on opaque pictures only.
"""

PORTER_DUFF_MODES = tuple(_MODES)

TRANSPARENT = 1e-5  # below this a colour cannot be told from what was multiplied by next to nothing


def porter_duff(source: Layer, destination: Layer, mode: str) -> Layer:
    """Two pictures with what is transparent in them, put together.

    Shapes: a layer is a picture [B, H, W, C] and a mask [B, H, W] that is 1 where it is transparent.
    Sizes follow the destination, the batch the smallest.
    """
    (colours, opacity), (colours_below, opacity_below) = _layers(source, destination)
    made, made_opacity = _MODES[mode](colours * opacity, opacity, colours_below * opacity_below, opacity_below)
    plain = torch.where(made_opacity > TRANSPARENT, made / made_opacity, torch.zeros_like(made))
    return plain.clamp(0, 1), 1.0 - made_opacity[..., 0].clamp(0, 1)


def _layers(source: Layer, destination: Layer) -> tuple[Layer, Layer]:
    count = min(len(each) for layer in (source, destination) for each in layer)
    height, width = destination[0].shape[1:3]
    return _layer(source, count, height, width), _layer(destination, count, height, width)


def _layer(layer: Layer, count: int, height: int, width: int) -> Layer:
    picture, mask = (each[:count] for each in layer)
    if picture.shape[1:3] != (height, width):
        picture = resize_image(picture[..., :3], width, height, "bicubic", "center").clamp(0, 1)
    if mask.shape[1:] != (height, width):
        mask = resize(mask[:, None], width, height, "bicubic", "center")[:, 0].clamp(0, 1)
    return picture[..., :3], 1.0 - mask[..., None]
