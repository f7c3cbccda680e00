"""A picture worked on piece by piece, where the whole does not fit into memory.

Source: node_behaviour.md 0.6.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

OnTile = Callable[[int, int], None]


@dataclass(frozen=True)
class Tiling:
    """How a picture is cut: into tiles of this size that share a margin. Units: cells of what goes in."""

    height: int
    width: int
    overlap: int

    def count(self, x: Tensor) -> int:
        """How many pieces a batch falls into. Shapes: x [B, C, H, W]."""
        return len(x) * len(self._starts(x.shape[-2], self.height)) * len(self._starts(x.shape[-1], self.width))

    def pieces(self, x: Tensor) -> list["Piece"]:
        """Where the pieces of a picture are."""
        height, width = x.shape[-2:]
        return [
            Piece(top, left, min(self.height, height - top), min(self.width, width - left))
            for top in self._starts(height, self.height)
            for left in self._starts(width, self.width)
        ]

    def _starts(self, size: int, tile: int) -> list[int]:
        if size <= tile:
            return [0]
        return [max(0, min(start, size - self.overlap)) for start in range(0, size - self.overlap, tile - self.overlap)]


@dataclass(frozen=True)
class Piece:
    """One tile of a picture. Units: cells of what goes in."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, x: Tensor) -> Tensor:
        """That piece of a picture."""
        return x[..., self.top : self.top + self.height, self.left : self.left + self.width]


def tiled(
    x: Tensor, work: Callable[[Tensor], Tensor], tiling: Tiling, scale: float, on_tile: OnTile | None = None
) -> Tensor:
    """What `work` would make of the whole, from overlapping pieces that fade into each other.

    `scale` is how many times larger than its piece an answer is. `on_tile(done, all)` is told of every piece.

    Shapes: x [B, C, H, W]; `work` turns [1, C, h, w] into [1, D, h·scale, w·scale].
    Returns: [B, D, H·scale, W·scale], float32 on the CPU.
    """
    pieces, done = tiling.pieces(x), 0
    results = []
    for picture in x.split(1):
        blend = _Blend(round(x.shape[-2] * scale), round(x.shape[-1] * scale), round(tiling.overlap * scale))
        for piece in pieces:
            answer = work(piece.cut(picture)).float().cpu()
            blend.add(answer, round(piece.top * scale), round(piece.left * scale))
            done += 1
            if on_tile is not None:
                on_tile(done, len(pieces) * len(x))
        results.append(blend.result() if len(pieces) > 1 else answer)
    return torch.cat(results)


class _Blend:
    """The weighted mean of pieces laid over each other."""

    def __init__(self, height: int, width: int, feather: int) -> None:
        self.feather = feather
        self.total = torch.zeros(1, 1, height, width)
        self.weights = torch.zeros(1, 1, height, width)

    def add(self, piece: Tensor, top: int, left: int) -> None:
        height, width = piece.shape[-2:]
        weight = faded(height, self.feather)[:, None] * faded(width, self.feather)
        if self.total.shape[1] != piece.shape[1]:
            self.total = self.total.repeat(1, piece.shape[1], 1, 1)
        self.total[..., top : top + height, left : left + width] += piece * weight
        self.weights[..., top : top + height, left : left + width] += weight

    def result(self) -> Tensor:
        return self.total / self.weights


def faded(size: int, feather: int, from_start: bool = True, to_end: bool = True) -> Tensor:
    """1 in the middle, rising from the ends that fade; a piece hardly larger than its margin does not fade at all.

    Returns: [size].
    """
    weights = torch.ones(size)
    if feather >= size:
        return weights
    ramp = torch.arange(1, feather + 1) / max(feather, 1)
    if from_start:
        weights[:feather] *= ramp
    if to_end:
        weights[size - feather :] *= ramp.flip(0)
    return weights
