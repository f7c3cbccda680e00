"""A random checkpoint in the exact layout of a real one: what the goldens of Stable Diffusion 1.5 were made with.

One stream of random numbers over the layout's names in order, each tensor scaled so that activations stay near one.
It is written tensor by tensor, because a whole one takes 2.1 GB and a writer's copy of it as much again.
"""

import gzip
import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

LAYOUTS = Path(__file__).parent / "data" / "checkpoint_layouts"


def write_random_checkpoint(layout: str, path: Path, seed: int) -> None:
    """Writes a safetensors file of random half-precision weights with the names and shapes of `layout`."""
    shapes: Mapping[str, list[int]] = json.loads(gzip.decompress((LAYOUTS / f"{layout}.json.gz").read_bytes()))
    # Numbers of eight bytes come first, so that every tensor lies at a multiple of its numbers' size.
    names = sorted(shapes, key=lambda name: (not _is_index(name), name))
    header, place = {}, 0
    for name in names:
        size = math.prod(shapes[name]) * (8 if _is_index(name) else 2)
        kind = "I64" if _is_index(name) else "F16"
        header[name] = {"dtype": kind, "shape": shapes[name], "data_offsets": [place, place + size]}
        place += size
    packed = json.dumps(header).encode()
    packed += b" " * (-len(packed) % 8)
    generator = torch.Generator().manual_seed(seed)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(packed)) + packed)
        for name in names:
            file.write(_random(name, shapes[name], generator).numpy().tobytes())


def _is_index(name: str) -> bool:
    return name.endswith("position_ids")


def _random(name: str, shape: list[int], generator: torch.Generator) -> Tensor:
    if _is_index(name):
        return torch.arange(shape[-1]).reshape(shape)
    if not shape:
        return torch.tensor(4.6052).half()
    drawn = torch.randn(shape, generator=generator)
    if len(shape) == 1:
        drawn = drawn * 0.02 + (1.0 if name.endswith(".weight") else 0.0)
    elif "embedding" in name:
        drawn = drawn * (0.02 if "token" in name else 0.01)
    else:
        drawn = drawn * (1.0 / math.sqrt(math.prod(shape[1:])))
    return drawn.half()
