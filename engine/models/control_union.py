"""What a union ControlNet has besides: it reads hints of several kinds, and is told which kind this one is.

Source: Qi et al. 2024, ControlNet++ (github.com/xinsir6/ControlNetPlus, README); node_behaviour.md C.3 for the layout.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.errors import SamplingError
from engine.models.layers import timestep_embedding

WAVES = 256  # Features that each kind's yes or no is told in.
HEADS = 8  # Of the layers between the kinds (engine/models/clip_layer.py); shapes do not tell.


class KindEmbedding(nn.Module):
    """Which kinds of hint are given, as a change of the time embedding."""

    def __init__(self, kinds: int, width: int) -> None:
        super().__init__()
        self.kinds = kinds
        self.linear_1 = nn.Linear(WAVES * kinds, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, given: Sequence[int], like: Tensor) -> Tensor:
        """Shapes: like [B, …]. Returns: [1, width]. Raises: SamplingError, for a kind this net does not know."""
        unknown = [kind for kind in given if not 0 <= kind < self.kinds]
        if unknown:
            raise SamplingError(
                f"this union ControlNet knows hints of kind 0 to {self.kinds - 1}, got {unknown[0]}; kinds 6 (tile) "
                "and 7 (repaint) need the ProMax version of the model"
            )
        told = torch.zeros(self.kinds, device=like.device)
        told[list(given)] = 1.0
        waves = timestep_embedding(told, WAVES).reshape(1, -1).to(like.dtype)
        return self.linear_2(nn.functional.silu(self.linear_1(waves)))
