"""Pictures given room, cut, turned, and set side by side. A picture is [B, H, W, C]. Source: node_behaviour.md 4."""

from typing import Literal

import torch
from torch import Tensor

from engine.images import need_room, resize_image

COLOURS = {
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
}
DIRECTIONS = ("right", "down", "left", "up")
ROTATIONS = ("none", "90 degrees", "180 degrees", "270 degrees")
FLIPS = ("x-axis: vertically", "y-axis: horizontally")

KONTEXT_SIZES = (
    *((672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184), (944, 1104)),
    *((1024, 1024), (1104, 944), (1184, 880), (1248, 832), (1328, 800), (1392, 752), (1456, 720), (1504, 688)),
    (1568, 672),
)
"""Widths and heights that Flux Kontext was trained with. Source: node_behaviour.md 4."""

Axis = Literal[1, 2]
_ROWS: Axis = 1
_COLUMNS: Axis = 2


def outpainting_canvas(image: Tensor, left: int, top: int, right: int, bottom: int, fade: int) -> tuple[Tensor, Tensor]:
    """Pictures on grey, and a mask of what is new that fades into the picture over so many pixels.

    Returns: [B, H', W', C], and one mask [1, H', W'] for all.
    """
    count, height, width, channels = image.shape
    size = (height + top + bottom, width + left + right)
    need_room((count, *size, channels))
    canvas = torch.full((count, *size, channels), 0.5).to(image)
    canvas[:, top : top + height, left : left + width] = image
    mask = torch.ones(size)
    inside = torch.zeros(height, width)
    if fade > 0 and fade * 2 < height and fade * 2 < width:
        rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
        # An edge that nothing was added to is as far away as the picture is large.
        near = [
            rows if top else torch.tensor(height),
            height - rows if bottom else torch.tensor(height),
            columns if left else torch.tensor(width),
            width - columns if right else torch.tensor(width),
        ]
        distance = torch.stack([each.expand(height, width) for each in near]).amin(0)
        inside = ((fade - distance).clamp(min=0) / fade) ** 2
    mask[top : top + height, left : left + width] = inside
    return canvas, mask[None]


def cropped(image: Tensor, width: int, height: int, x: int, y: int) -> Tensor:
    """A rectangle of pictures that begins inside of them; smaller at the borders."""
    x, y = min(x, image.shape[2] - 1), min(y, image.shape[1] - 1)
    return image[:, y : y + height, x : x + width]


def turned(x: Tensor, rotation: str, rows: int, columns: int) -> Tensor:
    """Turned clockwise by one of ROTATIONS, `rows` and `columns` being the axes."""
    return torch.rot90(x, ROTATIONS.index(rotation), (columns, rows))


def flipped(x: Tensor, flip: str, rows: int, columns: int) -> Tensor:
    """Mirrored by one of FLIPS: "vertically" puts the top at the bottom."""
    return x.flip(rows if flip.startswith("x") else columns)


def kontext_size(width: int, height: int) -> tuple[int, int]:
    """The width and height nearest in proportions among KONTEXT_SIZES; of two as near, the narrower."""
    return min(KONTEXT_SIZES, key=lambda size: (abs(width / height - size[0] / size[1]), size[0]))


def padded_to_fit(image: Tensor, width: int, height: int, colour: str, method: str) -> Tensor:
    """Pictures at a size with their proportions kept, in the middle of one colour."""
    scale = min(width / image.shape[2], height / image.shape[1])
    inner = max(1, int(image.shape[2] * scale)), max(1, int(image.shape[1] * scale))
    need_room((len(image), height, width, image.shape[3]))
    scaled = resize_image(image, *inner, method)
    canvas = _plain(scaled, height, width, colour)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas[:, top : top + inner[1], left : left + inner[0]] = scaled
    return canvas


def stitched(image1: Tensor, image2: Tensor, direction: str, match: bool, spacing: int, colour: str) -> Tensor:
    """Two pictures beside each other; `direction` is where the second one lies.

    `match` brings the second one to the height (or width) of the first, else the smaller one is centred on a colour.
    Where there are more of one kind, the last of the other is shown again.
    """
    is_beside = direction in ("right", "left")
    count = max(len(image1), len(image2))
    first, second = _as_many(image1, count), _as_many(image2, count)
    across: Axis = _ROWS if is_beside else _COLUMNS
    if match:
        second = _matched(second, first, is_beside)
    else:
        size = max(first.shape[across], second.shape[across])
        first, second = (_centred(each, across, size, colour) for each in (first, second))
    channels = max(first.shape[3], second.shape[3])
    first, second = _with_channels(first, channels), _with_channels(second, channels).to(first)
    parts = [first, second] if direction in ("right", "down") else [second, first]
    if spacing > 0:
        spacing += spacing % 2
        height, width = (first.shape[1], spacing) if is_beside else (spacing, first.shape[2])
        parts.insert(1, _plain(first, height, width, colour))
    return torch.cat(parts, dim=_COLUMNS if is_beside else _ROWS)


def _as_many(image: Tensor, count: int) -> Tensor:
    return torch.cat([image, image[-1:].expand(count - len(image), -1, -1, -1)])


def _matched(image: Tensor, like: Tensor, is_beside: bool) -> Tensor:
    height, width = image.shape[1:3]
    if is_beside:
        target = max(1, int(like.shape[1] * width / height)), like.shape[1]
    else:
        target = like.shape[2], max(1, int(like.shape[2] * height / width))
    return resize_image(image, *target, "lanczos")


def _centred(image: Tensor, axis: Axis, size: int, colour: str) -> Tensor:
    missing = size - image.shape[axis]
    if not missing:
        return image
    # ComfyUI: only white fills with white; every other colour of the space between fills with black.
    fill = 1.0 if colour == "white" else 0.0
    sides = [[*image.shape] for _ in range(2)]
    sides[0][axis], sides[1][axis] = missing // 2, missing - missing // 2
    return torch.cat([image.new_full(sides[0], fill), image, image.new_full(sides[1], fill)], dim=axis)


def _with_channels(image: Tensor, channels: int) -> Tensor:
    missing = channels - image.shape[3]
    return torch.cat([image, image.new_ones(*image.shape[:3], missing)], dim=3) if missing else image


def _plain(like: Tensor, height: int, width: int, colour: str) -> Tensor:
    """One colour, opaque where the pictures have alpha."""
    values = [*COLOURS[colour], 1.0][: like.shape[3]]
    values += [1.0] * (like.shape[3] - len(values))
    return like.new_tensor(values).expand(len(like), height, width, -1).clone()
