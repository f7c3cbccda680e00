"""Turbo: numbers of 0 … 1 as colours from blue over green to red, each step as visible as the next.

Source: Mikhailov 2019, "Turbo, An Improved Rainbow Colormap for Visualization", Google AI Blog; the polynomials of its
GLSL version, Copyright 2019 Google LLC, Apache-2.0, which are within 1/50 of the table.
"""

import torch
from torch import Tensor

# fmt: off
_RED = (0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943)
_GREEN = (0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604)
_BLUE = (0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973)
# fmt: on


def turbo(x: Tensor) -> Tensor:
    """Colours of numbers; what is outside 0 … 1 has the colour of the end. Shapes: [...] → [..., 3]."""
    x = x.clamp(0, 1)
    powers = torch.stack([x**n for n in range(6)], dim=-1)
    weights = torch.tensor([_RED, _GREEN, _BLUE], dtype=x.dtype, device=x.device)
    return (powers @ weights.T).clamp(0, 1)
