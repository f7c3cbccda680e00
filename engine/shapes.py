"""Tensors brought to the shape that others have: as many of a batch, the same proportions, cells for pixels.

Pictures, masks, latents and conditions all follow these rules. Source: node_behaviour 0.2 and 0.3.
"""

from torch import Tensor
from torch.nn.functional import interpolate

from engine.errors import ImageError

CELL = 8
"""Pixels of a latent cell, as nodes count them whatever the autoencoder (`Vae.ratio`). Source: node_behaviour 2."""


def repeated_to_batch(x: Tensor, count: int) -> Tensor:
    """As many as a batch has: the first of them, or all of them over and over.

    Shapes: x [M, …] → [count, …]. Raises: ImageError, when there is none to repeat.
    """
    _need_one(x)
    repeats = -(-count // len(x))
    return x.repeat(repeats, *[1] * (x.ndim - 1))[:count] if repeats > 1 else x[:count]


def spread_over_batch(x: Tensor, count: int) -> Tensor:
    """As many as a batch has, each the one at its place as if the batch were time.

    Shapes: x [M, …] → [count, …]. Raises: ImageError, when there is none to repeat.
    """
    have = len(x)
    if have == count or count <= 1:
        return x[:count]
    _need_one(x)
    if count < have:
        return x[[min(round(i * (have - 1) / (count - 1)), have - 1) for i in range(count)]]
    return x[[int((i + 0.5) * have / count) for i in range(count)]]


def _need_one(x: Tensor) -> None:
    if len(x) == 0:
        raise ImageError("an empty batch cannot be repeated; give at least one picture, mask or latent.")


def crop_to_aspect(x: Tensor, width: int, height: int) -> Tensor:
    """Cut both sides, or top and bottom, until the proportions are those of width × height.

    Shapes: x [..., H, W]. Raises: ImageError, when nothing would be left.
    """
    old_height, old_width = x.shape[-2:]
    old, new = old_width / old_height, width / height
    # ComfyUI: Python's round, half to even, and the same count on both sides.
    columns = round((old_width - old_width * (new / old)) / 2) if old > new else 0
    rows = round((old_height - old_height * (old / new)) / 2) if old < new else 0
    if 2 * columns >= old_width or 2 * rows >= old_height:
        raise ImageError(
            f"nothing is left of a picture of {old_width}×{old_height} when it is cut to the proportions "
            f"{width}:{height}; use one that is less narrow, or do not crop."
        )
    return x[..., rows : old_height - rows, columns : old_width - columns]


def fitted_picture(picture: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """A picture or latent cut around its centre to the proportions of a size, then brought to that size.

    Shapes: picture [B, C, H, W] → [B, C, *size]. Raises: ImageError, when nothing would be left.
    """
    height, width = size
    return interpolate(crop_to_aspect(picture, width, height), size=size, mode=mode)
