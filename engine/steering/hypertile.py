"""HyperTile: every cell of a large picture looks at the cells of a tile only, which is faster by the number of tiles.

Source: github.com/tfernd/HyperTile (MIT), by its description in node_behaviour section 8.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.sampling.hooks import Hooks
from engine.shapes import CELL

SMALLEST_TILE = 32  # Pixels; smaller tiles are taken as this large.

Triple = tuple[Tensor, Tensor, Tensor]
Extra = Mapping[str, Any]


def tiling(tile_size: int, swap_size: int, max_depth: int, scale_depth: bool) -> Hooks:
    """Cuts self-attention into tiles, on the finest level and `max_depth` levels below it.

    Tiles are at least `tile_size` large (`scale_depth`: twice as large in cells on each coarser level). Their size is
    drawn anew for every layer among the `swap_size` smallest that divide a side, so that borders do not show.

    Units: tile_size in pixels.
    """
    tiles = Tiles(max(SMALLEST_TILE, tile_size) // CELL, swap_size, max_depth, scale_depth)
    return Hooks(patches={"patches": {"attn1_patch": [tiles.cut], "attn1_output_patch": [tiles.joined]}})


class Tiles:
    """Cuts the queries of one attention into tiles, and puts its answer together again."""

    def __init__(self, tile: int, swap_size: int, max_depth: int, scale_depth: bool) -> None:
        self.tile, self.swap_size, self.max_depth, self.scale_depth = tile, swap_size, max_depth, scale_depth
        self._cut: tuple[int, int, int, int] | None = None

    def cut(self, n: Tensor, context: Tensor, value: Tensor, extra: Extra) -> Triple:
        """What attention is made of, in tiles. Shapes: [B, T, C] each; queries become [B · tiles, T / tiles, C]."""
        self._cut = grid = self._grid(n.shape[1], extra["original_shape"])
        if grid is None:
            return n, context, value
        down, across, height, width = grid
        count = down * across
        queries = (
            n.reshape(len(n), down, height, across, width, -1).transpose(2, 3).reshape(-1, height * width, n.shape[2])
        )
        # ComfyUI: what is looked at is cut into runs of tokens, row after row, not into the tiles that look.
        return queries, _runs(context, count), _runs(value, count)

    def joined(self, n: Tensor, extra: Extra) -> Tensor:
        """The answer of an attention in tiles, as the whole picture's. Returns: [B, T, C]."""
        grid, self._cut = self._cut, None
        if grid is None:
            return n
        down, across, height, width = grid
        tiles = n.reshape(-1, down, across, height, width, n.shape[2])
        return tiles.transpose(2, 3).reshape(len(tiles), -1, n.shape[2])

    def _grid(self, tokens: int, shape: Any) -> tuple[int, int, int, int] | None:
        """How many tiles there are down and across, and a tile's height and width; None for no tiles here."""
        height, width = shape[-2:]
        levels = range(self.max_depth + 1)
        level = next((i for i in levels if tokens == (height / 2**i) * (width / 2**i)), None)
        if level is None:
            return None
        # ComfyUI: the sides are the wrong way round, so that tiles of a picture that is not square are slanted.
        rows, columns = round(math.sqrt(tokens * width / height)), round(math.sqrt(tokens * height / width))
        smallest = self.tile * 2**level if self.scale_depth else self.tile
        down, across = (tiles_along(side, smallest, self.swap_size) for side in (rows, columns))
        if down * across == 1 or rows * columns != tokens:
            return None
        return down, across, rows // down, columns // across


def tiles_along(side: int, smallest: int, choices: int) -> int:
    """How many tiles a side is cut into, drawn by chance from torch's own generator (noise.continued).

    ComfyUI: of several choices the last is never drawn.
    """
    divisors = [each for each in range(min(smallest, side), side + 1) if side % each == 0][:choices]
    place = int(torch.randint(0, len(divisors) - 1, (1,))) if len(divisors) > 1 else 0
    return side // divisors[place]


def _runs(tokens: Tensor, count: int) -> Tensor:
    if tokens.shape[1] % count:
        raise SamplingError(
            f"HyperTile cuts self-attention into {count} tiles, but something else put {tokens.shape[1]} tokens there "
            "to look at, which cannot be cut so; leave out one of the two, or raise tile_size"
        )
    return tokens.reshape(len(tokens) * count, -1, tokens.shape[2])
