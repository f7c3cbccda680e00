"""What a program can see in a picture without knowing any icon: its background, how many things, where, which hue.

These judge compositions, where the nearest icon says nothing. Pictures are [3, H, W] with pixels 0 … 1 throughout.
"""

import math
from collections.abc import Mapping

import torch
from scipy import ndimage
from torch import Tensor

from engine.training.captions import COLOURS, HUES, WHITE, Colour

APART = 0.25  # How far a pixel must be from the background, in RGB, to belong to a thing.
SMALLEST = 0.01  # Specks below this part of the picture are not counted.


def background(picture: Tensor, named: Mapping[str, Colour] | None = None) -> str:
    """The name of the colour behind, as the median of the border has it."""
    behind = _border(picture) * 255
    palette = {**(COLOURS if named is None else named), "white": WHITE}
    return min(palette, key=lambda name: (torch.tensor(palette[name]) - behind).norm().item())


def count(picture: Tensor) -> int:
    """How many things stand apart from each other before the background."""
    solid = foreground(picture).numpy()
    labels, found = ndimage.label(solid)
    sizes = ndimage.sum(solid, labels, range(1, found + 1))
    return int(sum(size > SMALLEST * solid.size for size in sizes))


def middle(picture: Tensor) -> tuple[float, float]:
    """Where the things are on the whole: across from the left and down from the top, in parts of the side."""
    solid = foreground(picture).float()
    total = solid.sum().clamp(min=1)
    height, width = solid.shape
    across = (solid.sum(0) * (torch.arange(width) + 0.5)).sum() / total / width
    down = (solid.sum(1) * (torch.arange(height) + 0.5)).sum() / total / height
    return across.item(), down.item()


def hue(picture: Tensor) -> str | None:
    """The name of the hue that most of the thing has; None when it is grey."""
    colours = picture[:, foreground(picture)]
    if colours.numel() == 0:
        return None
    high, low = colours.amax(0), colours.amin(0)
    strong = (high - low) > 0.25
    if strong.float().mean() < 0.2:
        return None
    red, green, blue = colours[:, strong]
    degrees = torch.atan2(math.sqrt(3) * (green - blue), 2 * red - green - blue).rad2deg() % 360
    wanted = torch.tensor(list(HUES.values()))
    apart = ((degrees[:, None] - wanted + 180) % 360 - 180).abs()
    return list(HUES)[int(apart.argmin(dim=1).bincount(minlength=len(HUES)).argmax())]


def foreground(picture: Tensor) -> Tensor:
    """Where something stands before the background.

    Shapes: boolean [H, W].
    """
    return (picture - _border(picture).view(3, 1, 1)).norm(dim=0) > APART


def _border(picture: Tensor) -> Tensor:
    edges = [picture[:, :3].flatten(1), picture[:, -3:].flatten(1), picture[..., :3].flatten(1)]
    return torch.cat([*edges, picture[..., -3:].flatten(1)], dim=1).median(dim=1).values
