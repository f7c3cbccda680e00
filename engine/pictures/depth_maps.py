"""Depth as pictures: brought to 0 … 1, the sky tamed, coloured."""

import logging
from typing import Literal

import torch
from torch import Tensor

from engine.errors import ImageError
from engine.pictures.colormap import turbo
from engine.pictures.depth import Geometry

log = logging.getLogger(__name__)

Normalization = Literal["v2_style", "min_max", "raw"]

SKY = 0.3
"""From here on a pixel is sky. Source: the threshold of Depth Anything 3's reference code."""

FAR_SHARE = 0.99
"""So much of what is not sky is nearer than the sky is put. Source: the same."""

LEAST_PIXELS = 10
"""With as few of either, sky or not, nothing is known. Source: the same."""

SPREAD = 2.0
"""Standard deviations from the middle grey to black and to white: about 95 % of a bell curve. A choice of ours."""

NEAREST = 1e-6  # depth below which its inverse is not taken


def depth(geometry: Geometry, normalization: Normalization, *, clips_sky: bool, is_colored: bool) -> Tensor:
    """Depth as a picture.

    "v2_style": what is near is bright, in even steps of 1 / depth around its mean, as Depth Anything V2's maps and the
    ControlNets made for them; "min_max": from the farthest, black, to the nearest, white; "raw": the numbers as they
    are, larger is farther. Views of one scene have one scale, other pictures each their own.
    Returns: [B, H, W, 3].
    Raises: ImageError, when the sky is to be clipped and the model knows none.
    """
    far = clipped(geometry) if clips_sky else geometry["depth"]
    if normalization != "raw":
        far = normalized(far, normalization, is_shared=geometry["mode"] == "multiview")
    elif is_colored and float(far.max()) > 1:
        log.warning("raw depth goes up to %.1f, and all above 1 has one colour; use min_max or v2_style", far.max())
    return turbo(far) if is_colored else _grey(far)


def sky_mask(geometry: Geometry, *, is_colored: bool) -> Tensor:
    """Where the sky is, 1 is certain. Returns: [B, H, W, 3]. Raises: ImageError."""
    sky = need(geometry, "sky").clamp(0, 1)
    return turbo(sky) if is_colored else _grey(sky)


def confidence(geometry: Geometry, *, is_colored: bool) -> Tensor:
    """How sure the depth is, from the least sure place of a picture, 0, to the surest. Returns: [B, H, W, 3].

    Raises: ImageError.
    """
    sure = _ranged(need(geometry, "confidence"), is_shared=geometry["mode"] == "multiview")
    return turbo(sure) if is_colored else _grey(sure)


def need(geometry: Geometry, name: str) -> Tensor:
    """One of the maps. Raises: ImageError, when the model had none."""
    found = geometry.get(name)
    if found is None:
        who = {"sky": "Mono-Large and Metric-Large", "confidence": "Small and Base"}[name]
        have = ", ".join(each for each in ("depth", "sky", "confidence") if geometry.get(each) is not None)
        raise ImageError(f"da3_geometry: there is no {name}, only {have}; the models {who} see it, load one of those")
    return found


def clipped(geometry: Geometry) -> Tensor:
    """Depth with the sky as far as nearly everything else is near. Returns: [B, H, W]. Raises: ImageError."""
    far, is_sky = geometry["depth"].clone(), need(geometry, "sky") >= SKY
    for picture, mask in zip(far, is_sky, strict=True):
        if min(int(mask.sum()), int((~mask).sum())) > LEAST_PIXELS:
            picture[mask] = _quantile(picture[~mask], FAR_SHARE)
    return far


def normalized(far: Tensor, normalization: Normalization, *, is_shared: bool) -> Tensor:
    """Depth in 0 … 1, near is 1; see `depth`. Shapes: far [B, H, W]."""
    if normalization == "min_max":
        return 1 - _ranged(far, is_shared=is_shared)
    near = 1 / far.clamp(min=NEAREST)
    axes = (0, 1, 2) if is_shared else (1, 2)
    mean = near.mean(dim=axes, keepdim=True)
    deviation = near.std(dim=axes, keepdim=True, correction=0)
    # A picture of one depth is middle grey, and no noise of the last digits.
    deviation = torch.where(deviation > mean.abs() * 1e-6, deviation, torch.full_like(deviation, torch.inf))
    return (0.5 + (near - mean) / (2 * SPREAD * deviation)).clamp(0, 1)


def _ranged(x: Tensor, *, is_shared: bool) -> Tensor:
    axes = (0, 1, 2) if is_shared else (1, 2)
    low, high = x.amin(dim=axes, keepdim=True), x.amax(dim=axes, keepdim=True)
    return (x - low) / torch.where(high > low, high - low, torch.ones_like(high))


def _quantile(x: Tensor, share: float) -> Tensor:
    """The value that such a share lies below; torch.quantile takes no more than 16 million numbers."""
    return x.sort().values[round((len(x) - 1) * share)]


def _grey(x: Tensor) -> Tensor:
    return x.unsqueeze(-1).expand(*x.shape, 3).contiguous()
