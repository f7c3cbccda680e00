"""Draws the pictures that captions.py describes: icons laid over a background, then finishes and faults."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

from engine.training.captions import Picture, Placed

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601.


def draw(picture: Picture, layers: Tensor, side: int) -> Tensor:
    """A picture in pixels.

    Shapes: layers [N, 4, s, s], premultiplied RGB and alpha in 0 … 1; returns [3, side, side].
    Units: pixels -1 … 1.
    """
    layer = torch.zeros(4, side, side)
    for placed in picture.icons:
        over = _placed(placed, layers[placed.icon], side)
        layer = over + (1 - over[3:]) * layer
    layer = _finish(layer, picture.finish)
    drawn = layer[:3] + (1 - layer[3:]) * _ground(picture, side)
    return _fault(drawn, picture.fault).clamp(0, 1) * 2 - 1


def turned(layer: Tensor, hue: float) -> Tensor:
    """An icon in another hue; greys, blacks and whites stay what they are.

    Shapes: [4, H, W] in and out, premultiplied.
    Units: hue in degrees.
    """
    alpha = layer[3:].clamp(min=1e-6)
    colour = layer[:3] / alpha
    high, low = colour.amax(0), colour.amin(0)
    pure = torch.tensor([_hue_wave(hue, offset) for offset in (0.0, 120.0, 240.0)]).view(3, 1, 1)
    return torch.cat([(low + (high - low) * pure) * layer[3:], layer[3:]])


def _placed(placed: Placed, icon: Tensor, side: int) -> Tensor:
    size = round(placed.size * side)
    if placed.hue is not None:
        icon = turned(icon, placed.hue)
    if size != icon.shape[-1]:
        # Area averages when shrinking, bilinear when enlarging: neither has negative lobes.
        mode = "area" if size < icon.shape[-1] else "bilinear"
        icon = interpolate(icon[None], size=(size, size), mode=mode)[0]
    left, top = (round(part * side - size / 2) for part in (placed.x, placed.y))
    icon = icon[:, max(0, -top) :, max(0, -left) :][:, : side - max(0, top), : side - max(0, left)]
    left, top = max(0, left), max(0, top)
    return pad(icon, (left, side - left - icon.shape[-1], top, side - top - icon.shape[-2]))


def _ground(picture: Picture, side: int) -> Tensor:
    top, bottom = (torch.tensor(colour).view(3, 1, 1) / 255 for colour in (picture.top, picture.bottom))
    ramp = torch.linspace(0, 1, side).view(1, side, 1).expand(1, side, side)
    return top + (bottom - top) * ramp


def _finish(layer: Tensor, finish: str | None) -> Tensor:
    side = layer.shape[-1]
    if finish == "sticker":
        return _over(layer, _grown(layer[3:], side // 24) * torch.ones(4, 1, 1))
    if finish == "ink outline":
        ink = _grown(layer[3:], side // 48)
        return _over(layer, torch.cat([ink * 0.08] * 3 + [ink]))
    if finish == "drop shadow":
        width = side // 16 * 2 + 1
        shade = 0.45 * avg_pool2d(torch.roll(layer[3:], (side // 20, side // 20), (-2, -1)), width, 1, width // 2)
        return _over(layer, torch.cat([torch.zeros(3, side, side), shade]))
    if finish == "black and white":
        grey = (layer[:3] * torch.tensor(LUMA).view(3, 1, 1)).sum(0, keepdim=True)
        return torch.cat([grey.expand(3, -1, -1), layer[3:]])
    if finish == "pixel art":
        return interpolate(avg_pool2d(layer[None], side // 24), size=(side, side), mode="nearest")[0]
    return layer


def _fault(drawn: Tensor, fault: str | None) -> Tensor:
    side = drawn.shape[-1]
    if fault == "blurry":
        width = side // 32 * 2 + 1
        return avg_pool2d(drawn[None], width, 1, width // 2, count_include_pad=False)[0]
    if fault == "low quality":
        small = interpolate(drawn[None], size=(side // 5, side // 5), mode="area")
        return (interpolate(small, size=(side, side), mode="bilinear")[0] * 6).round() / 6
    return drawn


def _grown(alpha: Tensor, reach: int) -> Tensor:
    return max_pool2d(alpha[None], 2 * reach + 1, 1, reach)[0]


def _over(front: Tensor, back: Tensor) -> Tensor:
    return front + (1 - front[3:]) * back


def _hue_wave(hue: float, offset: float) -> float:
    """How strong a primary at `offset` degrees is in a pure hue."""
    distance = abs((hue - offset + 180) % 360 - 180)
    return min(1.0, max(0.0, 2 - distance / 60))
