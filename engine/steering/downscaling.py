"""Kohya's deep shrink: the first steps see a large picture small, so that it is composed as one.

Source: github.com/kohya-ss/sd-scripts (Apache-2.0), its "Deep Shrink" (2023).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from engine.images import resize
from engine.sampling.hooks import Hooks

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Shrinking:
    """Where a UNet sees a picture smaller: in which input block, by how much, and between which noise levels."""

    block: int
    factor: float
    sigma_start: float
    sigma_end: float
    shrink: str = "bicubic"
    grow: str = "bicubic"

    def shrunk(self, h: Tensor, options: Options) -> Tensor:
        """The activations, smaller where they are to be. Shapes: h [B, C, H, W]."""
        if options["block"][1] != self.block or not self.sigma_end <= float(options["sigmas"][0]) <= self.sigma_start:
            return h
        height, width = (max(1, round(side * (1.0 / self.factor))) for side in h.shape[-2:])
        return resize(h, width, height, self.shrink)

    def grown(self, h: Tensor, skip: Tensor, options: Options) -> tuple[Tensor, Tensor]:
        """The activations at the size of the skip that they meet."""
        if h.shape[2] != skip.shape[2]:
            h = resize(h, skip.shape[3], skip.shape[2], self.grow)
        return h, skip


def shrinking(how: Shrinking, after_skip: bool = True) -> Hooks:
    """Makes a UNet see the picture smaller below a block; with `after_skip` the skip of that block stays large."""
    place = "input_block_patch_after_skip" if after_skip else "input_block_patch"
    return Hooks(patches={"patches": {place: [how.shrunk], "output_block_patch": [how.grown]}})
