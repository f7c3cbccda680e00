"""What a union ControlNet has besides: it reads hints of several kinds, and is told which kind this one is.

Source: Qi et al. 2024, ControlNet++ (github.com/xinsir6/ControlNetPlus, README); node_behaviour.md C.3 for the layout.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.devices.attention import attention
from engine.errors import SamplingError
from engine.models.layers import timestep_embedding

WAVES = 256  # Features that each kind's yes or no is told in.
HEADS = 8  # Of the transformer between the kinds; shapes do not tell.


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


class KindTransformer(nn.Module):
    """One layer of a transformer over what hints show on the whole. Shapes: tokens [B, T, D]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = _Attention(width)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = _Mlp(width)
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.ln_1(tokens))
        return tokens + self.mlp(self.ln_2(tokens))


class _Attention(nn.Module):
    """Named as torch's MultiheadAttention names its weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        return self.out_proj(attention(q, k, v, HEADS))


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.c_fc(x)
        return self.c_proj(wide * torch.sigmoid(1.702 * wide))  # CLIP's quick GELU
