"""Guidance by self-attention: away from what the model would see with its attention in the middle block disturbed."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from engine.errors import SamplingError
from engine.sampling.hooks import NEGATIVE, POSITIVE, Answers, Hooks, Patches
from engine.sampling.rows import latents_of, signs_of

KERNEL = 9  # Cells of the blur's kernel. Source: Hong et al.'s code.
THRESHOLD = 1.0  # A cell that gets more attention than this, summed over all that look, is salient. Source: section 4.
SMALLEST = 4  # Cells; the blur reaches as far, and smaller latents are left alone. Source: node_behaviour 8.

Replace = Callable[[Tensor, Tensor, Tensor, Mapping[str, Any]], Tensor]


def perturbed(scale: float, layers: int) -> Hooks:
    """Away from the positive side as seen where each cell of the middle block attends to itself alone.

    `layers` are those of the middle block's transformer.
    Source: Ahn et al. 2024, arXiv 2403.17377, equation 15.
    """
    if scale == 0:
        return Hooks()
    disturbance = in_the_middle(lambda q, k, v, extra: v, layers)

    def after(answers: Answers, guided: Tensor) -> Tensor:
        return guided + scale * (answers.positive - answers.ask(POSITIVE, patches=disturbance))

    return Hooks(after=(after,))


def in_the_middle(replace: Replace, layers: int) -> Patches:
    """Patches with this in the place of all self-attention of the middle block, whatever is there already."""
    exact = {("middle", 0, layer): replace for layer in range(layers)}
    return {"patches_replace": {"attn1": {("middle", 0): replace, **exact}}}


def blurred(scale: float, blur_sigma: float) -> Hooks:
    """Away from the negative side as seen with what it looks at most blurred.

    Units: blur_sigma in latent cells.
    Source: Hong et al. 2022, arXiv 2210.00939, algorithm 1.
    """
    record = Record()

    def after(answers: Answers, guided: Tensor) -> Tensor:
        clean = answers.negative
        if min(clean.shape[-2:]) <= SMALLEST:
            return guided
        degraded = blur_map(clean, record.take(clean), blur_sigma)
        seen = answers.ask(NEGATIVE, x=degraded + answers.x - clean)
        record.skip()
        return guided + scale * (degraded - seen)

    replaced = {"patches_replace": {"attn1": {("middle", 0, 0): record.attend}}}
    forget = (record.start,)
    return Hooks(after=(after,), patches=replaced, always_both=True, starts=forget, ends=forget)


class Record:
    """Attention of one layer, and what the negative side paid it to.

    Where answers are guessed in a step (EasyCache), the attention of the step before stands for that step's.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[int, ...], Tensor] = {}
        self.skip()

    def start(self) -> None:
        """A run begins, or is over: nothing was seen."""
        self._last = {}
        self.skip()

    def skip(self) -> None:
        """What was recorded since the last `take` is of no interest."""
        self._seen: dict[tuple[int, int], dict[int, Tensor]] = {}
        self._signs: set[int] = set()

    def attend(self, q: Tensor, k: Tensor, v: Tensor, extra: Mapping[str, Any]) -> Tensor:
        """Attention written out. Shapes: q, k, v [B, T, heads·d], and so is what comes back."""
        heads = extra["n_heads"]
        q, k, v = (each.reshape(*each.shape[:2], heads, -1).transpose(1, 2) for each in (q, k, v))
        scores = (q.float() @ k.float().transpose(2, 3)) * q.shape[-1] ** -0.5
        weights = scores.softmax(dim=-1)
        batch, _, height, width = extra["original_shape"]
        self._signs.update(signs_of(extra, batch))
        if len(weights) == batch:
            seen = self._seen.setdefault((height, width), {})
            for row, (sign, latent) in enumerate(zip(signs_of(extra, batch), latents_of(extra, batch), strict=True)):
                if sign == NEGATIVE:
                    seen[latent] = weights[row].clone()  # which lets go of the other rows
        mixed: Tensor = (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)
        return mixed

    def take(self, latent: Tensor) -> Tensor:
        """The attention last paid, for each latent.

        Shapes: latent [B, C, h, w]. Returns: [B, heads, queries, keys].
        Raises: SamplingError, where none was of the whole picture.
        """
        height, width = latent.shape[-2:]
        key, found, signs = (len(latent), height, width), self._seen.get((height, width), {}), self._signs
        self.skip()
        # An answer that is not zero, which nobody was asked for, was guessed.
        if NEGATIVE not in signs and key in self._last and bool(latent.any()):
            return self._last[key]
        if signs and NEGATIVE not in signs:
            raise SamplingError(
                "SelfAttentionGuidance pushes away from the negative conditioning, but there is none at this step; "
                "guide by CFGGuider in the place of BasicGuider, with an empty text as the negative at least, and for "
                "all steps"
            )
        if any(place not in found for place in range(len(latent))):
            raise SamplingError(
                "SelfAttentionGuidance expected attention of the negative conditioning to the whole picture in the "
                "UNet's middle block, but there was none; leave out areas of the negative, HyperTile below the first "
                "level, or whatever else replaces that attention"
            )
        self._last = {key: torch.stack([found[place] for place in range(len(latent))])}
        return self._last[key]


def blur_map(x0: Tensor, attention: Tensor, sigma: float = 3.0, threshold: float = THRESHOLD) -> Tensor:
    """A latent blurred where the model looks most.

    Shapes: x0 [B, C, h, w]; attention [B, heads, queries, keys] of a coarser level, with as many keys as it has cells.
    """
    height, width = x0.shape[-2:]
    looked_at = attention.mean(dim=1).sum(dim=1) > threshold
    ratio = _ratio(height * width, attention.shape[-1])
    mask = looked_at.reshape(len(x0), 1, math.ceil(height / ratio), math.ceil(width / ratio)).to(x0.dtype)
    mask = interpolate(mask, (height, width))
    return gaussian_blur(x0, KERNEL, sigma) * mask + x0 * (1.0 - mask)


def gaussian_blur(x: Tensor, size: int, sigma: float) -> Tensor:
    """A Gaussian blur, mirrored at the sides; a sigma of 0 blurs nothing. Shapes: x [B, C, H, W]. Units: cells."""
    if sigma == 0:
        return x
    half = (size - 1) * 0.5
    bell = torch.exp(-0.5 * (torch.linspace(-half, half, size) / sigma) ** 2)
    bell = (bell / bell.sum()).to(x)
    channels, side = x.shape[-3], size // 2
    kernel = (bell[:, None] * bell[None]).expand(channels, 1, size, size)
    return conv2d(pad(x, [side] * 4, mode="reflect"), kernel, groups=channels)


def _ratio(cells: int, coarse: int) -> int:
    """How many times finer, in each direction, a latent is than a level with so many cells: a power of 2."""
    finer = math.ceil(math.sqrt(cells / coarse))
    return 1 << (finer - 1).bit_length()
