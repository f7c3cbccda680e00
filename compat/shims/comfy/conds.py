"""ComfyUI's conditions as batches are put together from them: each fits a batch and knows which others it suits."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from compat.missing import missing
from engine.shapes import repeated_to_batch

LONGEST_REPEAT = 4
"""How many times a text may be repeated to go with a longer one."""


class CONDRegular:
    """A tensor with one row per picture (or one for all)."""

    def __init__(self, cond: Any) -> None:
        self.cond = cond

    def _copy_with(self, cond: Any) -> Any:
        return type(self)(cond)

    def process_cond(self, batch_size: int, **kwargs: Any) -> Any:
        """As many rows as the batch has."""
        return self._copy_with(repeated_to_batch(self.cond, batch_size))

    def can_concat(self, other: Any) -> bool:
        """Whether both can go into one batch."""
        return bool(self.cond.shape == other.cond.shape and self.cond.device == other.cond.device)

    def concat(self, others: Sequence[Any]) -> Any:
        """The values of this and others, one below the other."""
        return torch.cat([self.cond, *(each.cond for each in others)])

    def size(self) -> list[int]:
        """Its shape, for estimates of memory."""
        return list(self.cond.size())


class CONDNoiseShape(CONDRegular):
    """A tensor of the latent's size, cut out along with it.

    Shapes: cond [B, C, h, w] (or with more axes); area is the sizes, then the starts, of the last axes.
    """

    def process_cond(self, batch_size: int, area: Sequence[int] | None = None, **kwargs: Any) -> Any:
        """The part for an area, with as many rows as the batch has."""
        data: Tensor = self.cond
        if area is not None:
            axes = len(area) // 2
            for axis in range(axes):
                data = data.narrow(data.ndim - axes + axis, int(area[axes + axis]), int(area[axis]))
        return self._copy_with(repeated_to_batch(data, batch_size))


class CONDCrossAttn(CONDRegular):
    """A text [B, T, D]. Texts of different length go together when repeating them is not too long."""

    def can_concat(self, other: Any) -> bool:
        ours, theirs = self.cond.shape, other.cond.shape
        if ours == theirs:
            return True
        if ours[0] != theirs[0] or ours[2] != theirs[2] or self.cond.device != other.cond.device:
            return False
        return math.lcm(ours[1], theirs[1]) // min(ours[1], theirs[1]) <= LONGEST_REPEAT

    def concat(self, others: Sequence[Any]) -> Any:
        texts = [self.cond, *(each.cond for each in others)]
        length = math.lcm(*(text.shape[1] for text in texts))
        return torch.cat([text.repeat(1, length // text.shape[1], 1) for text in texts])


class CONDConstant(CONDRegular):
    """One value for the whole batch, whatever its size."""

    def process_cond(self, batch_size: int, **kwargs: Any) -> Any:
        return self._copy_with(self.cond)

    def can_concat(self, other: Any) -> bool:
        same = self.cond == other.cond
        return bool(same.all()) if isinstance(same, Tensor) else bool(same)

    def concat(self, others: Sequence[Any]) -> Any:
        return self.cond

    def size(self) -> list[int]:
        return [1]


class CONDList(CONDRegular):
    """Several tensors, each with one row per picture."""

    def process_cond(self, batch_size: int, **kwargs: Any) -> Any:
        return self._copy_with([repeated_to_batch(each, batch_size) for each in self.cond])

    def can_concat(self, other: Any) -> bool:
        if len(self.cond) != len(other.cond):
            return False
        return all(a.shape == b.shape for a, b in zip(self.cond, other.cond, strict=True))

    def concat(self, others: Sequence[Any]) -> Any:
        lists = [self.cond, *(each.cond for each in others)]
        return [torch.cat(each) for each in zip(*lists, strict=True)]

    def size(self) -> list[int]:
        """One shape that holds as many numbers as all of them."""
        count = sum(math.prod(each.size()) for each in self.cond)
        return [1, int(self.cond[0].shape[1]), count // int(self.cond[0].shape[1])]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
