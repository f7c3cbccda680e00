"""The edges of pictures, as ControlNets for edges were shown them.

The same answers as kornia's `canny` (0.9), which ComfyUI calls; along an edge between two flat colours one line of
pixels is kept, as in OpenCV.
"""

import math

import numpy
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from engine.errors import ImageError

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601
_FLAT = 1e-6  # what a pixel without any gradient has as its square; kornia's eps
_SOBEL = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])

# (rows, columns) to the neighbour in each direction, counted from the right towards the bottom in eighths of a circle.
_NEIGHBOURS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
_RIGHT, _DOWN = 0, 2


def canny(image: Tensor, low: float, high: float) -> Tensor:
    """1 on edges, 0 elsewhere.

    An edge is as steep as `high` somewhere, and nowhere on its way less than `low`. Units: a full step from black to
    white is about 2.6 steep.
    Shapes: image [B, H, W, C] with 1 or 3 channels. Returns: [B, H, W].
    Raises: ImageError.
    Source: Canny 1986, "A Computational Approach to Edge Detection"; node_behaviour.md 4.
    """
    if not 0 < low <= high:
        raise ImageError(f"low_threshold {low} must be above 0 and at most high_threshold {high}; swap or change them.")
    if min(image.shape[1:3]) < 3:
        raise ImageError(
            f"image: {image.shape[2]}×{image.shape[1]} pixels have no edges to find; at least 3×3 are needed."
        )
    right, down = _gradients(_blurred(_grey(image)))
    steep = _ridges(right, down)
    connected = [_connected(each > low, each > high) for each in steep.cpu()]
    return torch.stack(connected).to(image)


def _grey(image: Tensor) -> Tensor:
    """Returns: [B, 1, H, W]."""
    weights = image.new_tensor(_GREY) if image.shape[-1] == 3 else image.new_ones(1)
    return (image * weights).sum(dim=-1)[:, None].float()


def _blurred(x: Tensor) -> Tensor:
    """A bell of 5×5 pixels with a standard deviation of one."""
    line = torch.exp(-(torch.arange(-2.0, 3.0) ** 2) / 2)
    line = (line / line.sum()).to(x)
    return conv2d(conv2d(pad(x, (2, 2, 2, 2), mode="reflect"), line.view(1, 1, 1, 5)), line.view(1, 1, 5, 1))


def _gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    """How much lighter it gets to the right, and downwards. Returns: [B, H, W] each."""
    padded = pad(x, (1, 1, 1, 1), mode="replicate")
    kernel = _SOBEL.to(x)
    return conv2d(padded, kernel[None, None])[:, 0], conv2d(padded, kernel.T[None, None])[:, 0]


def _ridges(right: Tensor, down: Tensor) -> Tensor:
    """How steep it is where it is steeper than on both sides, 0 elsewhere."""
    height, width = right.shape[-2:]
    padded = (pad(right, (1, 1, 1, 1)) ** 2 + pad(down, (1, 1, 1, 1)) ** 2 + _FLAT).sqrt()
    around = torch.stack(
        [padded[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in _NEIGHBOURS],
    )
    here = padded[:, 1:-1, 1:-1]
    ahead = (torch.atan2(down, right) * (4 / math.pi)).round().long() % 8
    is_ridge = here > math.sqrt(_FLAT)
    for direction in (ahead, (ahead + 4) % 8):
        neighbour = around.gather(0, direction[None])[0]
        # Of two equally steep pixels across a step, the left or upper one is kept.
        is_tie = (here == neighbour) & ((direction == _RIGHT) | (direction == _DOWN))
        is_ridge &= (here > neighbour) | is_tie
    return here * is_ridge


def _connected(weak: Tensor, strong: Tensor) -> Tensor:
    """The weak pixels that touch strong ones, by way of any number of weak ones. Shapes: [H, W]."""
    from scipy import ndimage  # slow to import, and one node's affair

    labels, count = ndimage.label(weak.numpy(), structure=numpy.ones((3, 3)))
    is_kept = numpy.zeros(count + 1, dtype=bool)
    is_kept[labels[strong.numpy()]] = True
    is_kept[0] = False
    return torch.from_numpy(is_kept[labels])
