"""Token merging: cells that look alike go through self-attention as one, which is faster by what is left out.

Source: Bolya and Hoffman 2023, arXiv 2303.17604, sections 3 and 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from engine.sampling.hooks import Hooks

STRIDE = 2  # One cell of every 2×2 is kept, by chance; others may be merged into one of those.

Triple = tuple[Tensor, Tensor, Tensor]
Extra = Mapping[str, Any]


def merging(ratio: float) -> Hooks:
    """Merges this share of the cells of the finest level (at most three quarters) into others like them."""
    merger = Merger(ratio)
    return Hooks(patches={"patches": {"attn1_patch": [merger.merged], "attn1_output_patch": [merger.parted]}})


class Merger:
    """Merges the tokens of one attention, and parts its answer again."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio
        self._pairs: Pairs | None = None

    def merged(self, n: Tensor, context: Tensor, value: Tensor, extra: Extra) -> Triple:
        """What attention is made of, with fewer tokens. Shapes: [B, T, C] each."""
        height, width = extra["original_shape"][-2:]
        self._pairs = None
        if n.shape[1] != height * width:
            return n, context, value
        self._pairs = pairs = matched(n, height, width, self.ratio)
        if pairs is None:
            return n, context, value
        # What something else put there to look at is of other cells, and stays.
        context, value = (pairs.merged(each) if each.shape[1] == n.shape[1] else each for each in (context, value))
        return pairs.merged(n), context, value

    def parted(self, n: Tensor, extra: Extra) -> Tensor:
        """The answer of an attention over merged tokens, for each of the cells."""
        pairs, self._pairs = self._pairs, None
        return n if pairs is None else pairs.parted(n)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which tokens are merged into which.

    Shapes: kept [K] and others [T − K] are places of tokens; alone [B, T − K − r], merged_ones and into [B, r] are
    places among those: others that stay, others that go, and the kept ones they go into.
    """

    kept: Tensor
    others: Tensor
    alone: Tensor
    merged_ones: Tensor
    into: Tensor

    def merged(self, x: Tensor) -> Tensor:
        """Fewer tokens, those that were merged by their mean. Shapes: x [B, T, C]. Returns: [B, T − r, C]."""
        others, kept = x[:, self.others], x[:, self.kept]
        going = _at(others, self.merged_ones)
        kept = kept.scatter_reduce(1, _wide(self.into, x), going, reduce="mean")
        return torch.cat([_at(others, self.alone), kept], dim=1)

    def parted(self, x: Tensor) -> Tensor:
        """Every token what its merged one became. Shapes: x [B, T − r, C]. Returns: [B, T, C]."""
        count = self.alone.shape[1]
        alone, kept = x[:, :count], x[:, count:]
        others = x.new_empty(len(x), len(self.others), x.shape[2])
        others.scatter_(1, _wide(self.alone, x), alone)
        others.scatter_(1, _wide(self.merged_ones, x), _at(kept, self.into))
        result = x.new_empty(len(x), len(self.others) + len(self.kept), x.shape[2])
        result[:, self.others], result[:, self.kept] = others, kept
        return result


def matched(tokens: Tensor, height: int, width: int, ratio: float) -> Pairs | None:
    """Finds for the tokens which others they are most like, by cosine; None where nothing is to be merged.

    Which of 2×2 tokens is kept comes from torch's own generator (noise.continued). Shapes: tokens [B, height·width, C].
    """
    count = int(tokens.shape[1] * ratio)
    if count <= 0 or height < STRIDE or width < STRIDE:
        return None
    kept = _kept(height, width).to(tokens.device)
    everyone = torch.ones(height * width, dtype=torch.bool, device=tokens.device)
    everyone[kept] = False
    others = everyone.nonzero().flatten()
    unit = normalize(tokens.float(), dim=-1)
    best, into = (unit[:, others] @ unit[:, kept].transpose(1, 2)).max(dim=-1)
    order = best.argsort(dim=-1, descending=True)
    count = min(count, len(others))
    merged_ones = order[:, :count]
    return Pairs(kept, others, order[:, count:], merged_ones, into.gather(1, merged_ones))


def _kept(height: int, width: int) -> Tensor:
    """One place of each 2×2 cells, by chance. Returns: [cells], places row after row."""
    rows, columns = height // STRIDE, width // STRIDE
    chosen = torch.randint(STRIDE * STRIDE, (rows, columns))
    down = torch.arange(rows)[:, None] * STRIDE + chosen // STRIDE
    across = torch.arange(columns)[None] * STRIDE + chosen % STRIDE
    return (down * width + across).flatten()


def _at(x: Tensor, places: Tensor) -> Tensor:
    return x.gather(1, _wide(places, x))


def _wide(places: Tensor, x: Tensor) -> Tensor:
    return places.unsqueeze(-1).expand(-1, -1, x.shape[2])
