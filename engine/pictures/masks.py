"""Masks changed and put together. A mask is [B, H, W], 1 where something is selected.

Source: node_behaviour.md 5.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from engine.errors import ImageError

OPERATIONS = ("multiply", "add", "subtract", "and", "or", "xor")

Check = Callable[[], None]
"""Called between steps of long work; raises to stop."""


def composed(destination: Tensor, source: Tensor, x: int, y: int, operation: str) -> Tensor:
    """Two masks put together where the source lies on the destination, at (x, y) and cut at the borders.

    Returns: the destination's size, 0 … 1 everywhere. Raises: ImageError, for batches that do not fit.
    """
    if len(source) not in (1, len(destination)):
        raise ImageError(
            f"source: expected 1 mask or as many as destination has ({len(destination)}), got {len(source)}; "
            "give one mask for all, or one for each."
        )
    made = destination.clone()
    here = made[:, y : y + source.shape[1], x : x + source.shape[2]]
    here.copy_(combined(here, source[:, : here.shape[1], : here.shape[2]], operation))
    return made.clamp(0.0, 1.0)


def combined(a: Tensor, b: Tensor, operation: str) -> Tensor:
    """One of OPERATIONS on every pixel; "and", "or", "xor" take a pixel for selected from a half on."""
    if operation in ("and", "or", "xor"):
        function = {"and": torch.bitwise_and, "or": torch.bitwise_or, "xor": torch.bitwise_xor}[operation]
        return function(a.round().bool(), b.round().bool()).float()
    return {"multiply": a * b, "add": a + b, "subtract": a - b}[operation]


def feathered(mask: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    """A mask that fades towards its sides, over so many pixels on each."""
    made = mask.clone()
    height, width = made.shape[-2:]
    for count, axis, sign in (
        (min(left, width), 2, 1),
        (min(right, width), 2, -1),
        (min(top, height), 1, 1),
        (min(bottom, height), 1, -1),
    ):
        for i in range(count):
            # ComfyUI: from the far side the first index is -0, which is the near side's first.
            made.select(axis, sign * i).mul_((i + 1.0) / count)
    return made


def grown(mask: Tensor, pixels: int, tapered: bool, check: Check = lambda: None) -> Tensor:
    """A mask whose bright parts reach so many pixels further, or less far below 0.

    `tapered` grows in the four directions only, so that corners are cut; otherwise squares stay squares.
    `check` is called between steps.
    """
    # Growing the dark is shrinking the bright. What lies beyond the border never changes a result: a mirrored pixel
    # is never nearer than itself.
    given = (mask if pixels >= 0 else -mask)[:, None]
    reach = min(abs(pixels), sum(mask.shape[-2:]))
    if tapered:
        for _ in range(reach):
            check()
            given = torch.maximum(_spread(given, 1, 0), _spread(given, 0, 1))
    elif reach:
        check()
        rows, columns = (min(reach, side) for side in mask.shape[-2:])
        given = _spread(_spread(given, rows, 0), 0, columns)
    return (given if pixels >= 0 else -given)[:, 0]


def _spread(x: Tensor, rows: int, columns: int) -> Tensor:
    """The largest value within so many rows and columns of each."""
    return max_pool2d(x, (2 * rows + 1, 2 * columns + 1), stride=1, padding=(rows, columns))


def of_colour(image: Tensor, colour: int) -> Tensor:
    """Where pictures have exactly this colour, 0xRRGGBB. Shapes: image [B, H, W, 3 or more]."""
    levels = (image[..., :3].clamp(0, 1.0) * 255.0).round().to(torch.int64)
    packed = (levels[..., 0] << 16) + (levels[..., 1] << 8) + levels[..., 2]
    return (packed == colour).float()
