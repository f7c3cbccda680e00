"""Weights as their file has them, and what they mean: 8-bit numbers may have a scale beside them.

Source: node_behaviour.md A.7 (`scaled_fp8`).
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor


class Resting(Mapping[str, Tensor]):
    """Weights at rest, by name. Those that are stored with a scale are multiplied by it when they are read.

    Shapes: a scale is one number, or broadcasts against its weight's outputs ([out] or [out, 1, …]).
    """

    def __init__(self, stored: Mapping[str, Tensor], scales: Mapping[str, Tensor] | None = None) -> None:
        self.stored = dict(stored)
        self.scales = dict(scales or {})

    def __getitem__(self, name: str) -> Tensor:
        return self.unscaled(name, self.stored[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    def unscaled(self, name: str, stored: Tensor) -> Tensor:
        """What a stored weight means, wherever its copy is: float32 where it has a scale, else as it is."""
        scale = self.scales.get(name)
        if scale is None:
            return stored
        factor = scale.to(stored.device, torch.float32)
        if factor.ndim == 1 and factor.numel() > 1:
            factor = factor.reshape(-1, *[1] * (stored.ndim - 1))
        return stored.float() * factor
