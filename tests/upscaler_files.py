"""What lies in models/upscale_models, small and random: ESRGAN's upscalers under the names of their three layouts."""

import math

import torch
from torch import Tensor

WIDE, GROWTH, BLOCKS = 8, 4, 2

Weights = dict[str, Tensor]


def names_of(layout: str, ups: int, has_shortcut: bool = False) -> dict[str, tuple[int, ...]]:
    """Names and shapes as they are in real files; source: the table of node_behaviour.md E."""
    block = {
        "old": "model.1.sub.{i}.RDB{j}.conv{k}.0",
        "bsrgan": "RRDB_trunk.{i}.RDB{j}.conv{k}",
        "basicsr": "body.{i}.rdb{j}.conv{k}",
    }[layout]
    tops = {
        "old": ["model.0", f"model.1.sub.{BLOCKS}", f"model.{3 * ups + 2}", f"model.{3 * ups + 4}", "model.{3n}"],
        "bsrgan": ["conv_first", "trunk_conv", "HRconv", "conv_last", "upconv{n}"],
        "basicsr": ["conv_first", "conv_body", "conv_hr", "conv_last", "conv_up{n}"],
    }[layout]
    first, trunk, high, last, up = tops
    shapes = {first: (WIDE, 3), trunk: (WIDE, WIDE), high: (WIDE, WIDE), last: (3, WIDE)}
    for n in range(1, ups + 1):
        shapes[up.replace("{3n}", str(3 * n)).replace("{n}", str(n))] = (WIDE, WIDE)
    for i in range(BLOCKS):
        for j in (1, 2, 3):
            for k in range(1, 6):
                rows = WIDE if k == 5 else GROWTH
                shapes[block.format(i=i, j=j, k=k)] = (rows, WIDE + (k - 1) * GROWTH)
    made = {f"{name}.weight": (*shape, 3, 3) for name, shape in shapes.items()}
    made |= {f"{name}.bias": shape[:1] for name, shape in shapes.items()}
    if has_shortcut:
        assert layout == "old"
        for i in range(BLOCKS):
            made |= {f"model.1.sub.{i}.RDB{j}.conv1x1.weight": (GROWTH, WIDE, 1, 1) for j in (1, 2, 3)}
    return made


def drawn(shapes: dict[str, tuple[int, ...]]) -> Weights:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator) / math.sqrt(max(1, math.prod(shape[1:])))
        for name, shape in shapes.items()
    }
