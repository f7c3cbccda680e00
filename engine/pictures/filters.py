"""Finished pictures softened, sharpened, and brought to fewer colours. Source: node_behaviour.md 4."""

import numpy
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, pad

from engine.errors import ImageError
from engine.images import Check, from_pil, to_pil

DITHERS = ("none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16")
MORPHOLOGIES = ("erode", "dilate", "open", "close", "gradient", "bottom_hat", "top_hat")


def gaussian(side: int, sigma: float) -> Tensor:
    """A bell over -1 … 1 in both directions, so sigma counts in radii; its sum is 1. Returns: [side, side]."""
    line = torch.linspace(-1, 1, side)
    bell = torch.exp(-(line[:, None] ** 2 + line[None] ** 2) / (2 * sigma * sigma))
    return bell / bell.sum()


def blurred(image: Tensor, radius: int, sigma: float) -> Tensor:
    """Every pixel mixed with those in the radius. Shapes: [B, H, W, C]."""
    return _filtered(image, gaussian(2 * radius + 1, sigma)) if radius else image


def sharpened(image: Tensor, radius: int, sigma: float, strength: float) -> Tensor:
    """Every pixel set off from those in the radius. Shapes: [B, H, W, C]."""
    if not radius:
        return image
    kernel = gaussian(2 * radius + 1, sigma) * (-10 * strength)
    kernel[radius, radius] += 1 - kernel.sum()
    return _filtered(image, kernel).clamp(0, 1)


def _filtered(image: Tensor, kernel: Tensor) -> Tensor:
    channels, radius = image.shape[-1], kernel.shape[-1] // 2
    if radius >= min(image.shape[1:3]):
        raise ImageError(
            f"a radius of {radius} pixels is too large for a picture of {image.shape[2]}×{image.shape[1]}; "
            f"take at most {min(image.shape[1:3]) - 1}."
        )
    padded = pad(image.movedim(-1, 1), [radius] * 4, mode="reflect")
    weights = kernel.to(image).expand(channels, 1, -1, -1)
    return conv2d(padded, weights, groups=channels).movedim(1, -1)


def quantized(image: Tensor, colours: int, dither: str, check: Check = lambda: None) -> Tensor:
    """Pictures of at most so many colours each, chosen by median cut. Shapes: [B, H, W, 3]."""
    made = []
    for each in image:
        check()
        picture = to_pil(each[..., :3])
        palette = picture.quantize(colors=colours)
        kind = Image.Dither.FLOYDSTEINBERG if dither == "floyd-steinberg" else Image.Dither.NONE
        if dither.startswith("bayer-"):
            picture = _ordered(picture, int(dither.removeprefix("bayer-")), colours)
        made.append(from_pil(picture.quantize(colors=colours, palette=palette, dither=kind).convert("RGB")))
    return torch.cat(made).to(image)


def _ordered(picture: Image.Image, order: int, colours: int) -> Image.Image:
    """A picture with Bayer's pattern on it, so that the nearest colour changes from pixel to pixel."""
    pixels = numpy.asarray(picture, dtype=numpy.float32)
    height, width = pixels.shape[:2]
    pattern = bayer(order) * (2 * 256 / colours) + 0.5
    pattern = numpy.tile(pattern, (-(-height // order), -(-width // order)))[:height, :width, None]
    return Image.fromarray((pixels + pattern).clip(0, 255).astype(numpy.uint8))


def bayer(order: int) -> numpy.ndarray:
    """Bayer's matrix around 0: every threshold once, as far from its like as can be. Returns: [order, order].

    Source: Bayer 1973, "An optimum method for two-level rendition of continuous-tone pictures".
    """
    matrix = numpy.zeros((1, 1), dtype=numpy.float32)
    while len(matrix) < order:
        cells = (2 * len(matrix)) ** 2
        inner = matrix * cells
        inner = numpy.block([[inner - 1.5, inner + 0.5], [inner + 1.5, inner - 0.5]])
        matrix = (inner / cells).astype(numpy.float32)
    return matrix


def morphed(image: Tensor, operation: str, side: int) -> Tensor:
    """What is light made larger (dilate) or smaller (erode) by a square, and what these two make of each other.

    "open" erodes, then dilates; "close" the other way round; "gradient" is the difference between the two; the hats
    are what opening (top) and closing (bottom) change. Shapes: [B, H, W, C].
    """
    x = image.movedim(-1, 1)
    match operation:
        case "erode":
            made = _dilated(x, side, -1)
        case "dilate":
            made = _dilated(x, side, 1)
        case "open":
            made = _dilated(_dilated(x, side, -1), side, 1)
        case "close":
            made = _dilated(_dilated(x, side, 1), side, -1)
        case "gradient":
            made = _dilated(x, side, 1) - _dilated(x, side, -1)
        case "top_hat":
            made = x - _dilated(_dilated(x, side, -1), side, 1)
        case "bottom_hat":
            made = _dilated(_dilated(x, side, 1), side, -1) - x
        case _:
            raise ImageError(f"operation {operation!r}: expected one of {', '.join(MORPHOLOGIES)}")
    return made.movedim(1, -1)


def _dilated(x: Tensor, side: int, sign: int) -> Tensor:
    """The largest value (below 0: the smallest) within a square around each; beyond the border there is nothing."""
    before = side // 2
    around = (side - 1 - before, before, side - 1 - before, before) if sign > 0 else (before, side - 1 - before) * 2
    lowest = float("-inf")
    wide = pad(x * sign, (around[0], around[1], 0, 0), value=lowest)
    tall = pad(max_pool2d(wide, (1, side), stride=1), (0, 0, around[2], around[3]), value=lowest)
    return max_pool2d(tall, (side, 1), stride=1) * sign


_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, and how far blue and red may be from the grey
_BLUE, _RED = 0.564, 0.713


def to_yuv(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Brightness, and how blue and how red it is (0.5 is neither). Shapes: [B, H, W, 3] → [B, H, W] each."""
    red, green, blue = image.unbind(dim=-1)
    luma = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return luma, (blue - luma) * _BLUE + 0.5, (red - luma) * _RED + 0.5


def from_yuv(luma: Tensor, blue: Tensor, red: Tensor) -> Tensor:
    """The picture of these three, clamped to 0 … 1. Shapes: [B, H, W] each → [B, H, W, 3]."""
    towards_blue, towards_red = (blue - 0.5) / _BLUE, (red - 0.5) / _RED
    green = luma - (_LUMA[0] * towards_red + _LUMA[2] * towards_blue) / _LUMA[1]
    return torch.stack([luma + towards_red, green, luma + towards_blue], dim=-1).clamp(0, 1)


def noisy(image: Tensor, seed: int, strength: float) -> Tensor:
    """Pictures with grain on them. Shapes: [B, H, W, C]."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(image.shape, generator=generator, dtype=torch.float32)
    return (image + noise.to(image) * strength).clamp(0, 1)
