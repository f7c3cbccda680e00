"""Pictures cut to the small squares that CLIP looks at, and made crisper there.

Source: what ComfyUI_IPAdapter_plus documents of PrepImageForClipVision; AMD FidelityFX CAS for sharpening
(Lottes 2019, "FidelityFX Contrast Adaptive Sharpening", MIT).
"""

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from engine.images import from_pil, to_pil

SIDE = 224
"""Of the pictures that CLIP's released models were trained on."""

INTERPOLATIONS = ("LANCZOS", "BICUBIC", "HAMMING", "BILINEAR", "BOX", "NEAREST")
POSITIONS = ("top", "bottom", "left", "right", "center", "pad")


def prepared(image: Tensor, interpolation: str, position: str, sharpening: float) -> Tensor:
    """The square at a position of each picture (or all of it, between black bars), made small, perhaps sharpened.

    Shapes: image [B, H, W, 3]. Returns: [B, 224, 224, 3] of 0 … 1.
    """
    square = _padded(image) if position == "pad" else _cut(image, position)
    method = Image.Resampling[interpolation]
    small = torch.cat([from_pil(to_pil(each).resize((SIDE, SIDE), method)) for each in square.clamp(0, 1)]).to(image)
    return adaptively_sharpened(small, sharpening) if sharpening > 0 else small


def adaptively_sharpened(image: Tensor, amount: float) -> Tensor:
    """Sharpened most where there is little contrast, so that edges do not ring. Shapes: [B, H, W, C] of 0 … 1."""
    around = pad(image.movedim(-1, 1), (1, 1, 1, 1), mode="replicate")
    # The neighbours above, below and beside a pixel, and with the diagonal ones.
    cross = torch.stack(
        [around[:, :, y : y - 2 or None, x : x - 2 or None] for y, x in ((0, 1), (2, 1), (1, 0), (1, 2))]
    )
    middle = around[:, :, 1:-1, 1:-1]
    near = torch.cat([cross, middle[None]])
    lowest = near.amin(0) - max_pool2d(-around, 3, 1)
    highest = near.amax(0) + max_pool2d(around, 3, 1)
    room = (torch.minimum(lowest, 2 - highest) / highest.clamp(min=1e-6)).clamp(0, 1)
    weight = -room.sqrt() / (8 + (5 - 8) * amount)
    return ((middle + weight * cross.sum(0)) / (1 + 4 * weight)).clamp(0, 1).movedim(1, -1)


def _cut(image: Tensor, position: str) -> Tensor:
    height, width = image.shape[1:3]
    side = min(height, width)
    top = {"top": 0, "bottom": height - side}.get(position, (height - side) // 2)
    left = {"left": 0, "right": width - side}.get(position, (width - side) // 2)
    return image[:, top : top + side, left : left + side]


def _padded(image: Tensor) -> Tensor:
    height, width = image.shape[1:3]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return pad(image, (0, 0, left, side - width - left, top, side - height - top))
