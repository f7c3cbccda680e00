"""What lies behind an icon: white, a named colour, or a gradient between two."""

from dataclasses import dataclass

import torch
from torch import Tensor

WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Backgrounds:
    """Random backgrounds for the autoencoder, which must cope with any colour, named or not."""

    white: float = 0.45
    plain: float = 0.35

    def draw(self, count: int, size: int, generator: torch.Generator) -> Tensor:
        """Shapes: [count, 3, size, size]. Units: 0 … 1."""
        kind = torch.rand(count, generator=generator)
        first, second = (torch.rand(count, 3, 1, 1, generator=generator) for _ in range(2))
        second = torch.where((kind < self.white + self.plain)[:, None, None, None], first, second)
        first = torch.where((kind < self.white)[:, None, None, None], torch.ones(()), first)
        second = torch.where((kind < self.white)[:, None, None, None], torch.ones(()), second)
        ramp = torch.linspace(0, 1, size).view(1, 1, size, 1)
        return first + (second - first) * ramp
