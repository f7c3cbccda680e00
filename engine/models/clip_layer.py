"""A layer of CLIP's transformer as OpenAI's code names its weights, which smaller networks beside CLIP have taken over.

CLIP's own towers are transformers' (engine/text/clip.py, engine/models/vision.py), where the weights have other names.
Source: Radford et al. 2021, arXiv 2103.00020, and github.com/openai/CLIP (MIT).
"""

import torch
from torch import Tensor, nn

from engine.devices.attention import attention

QUICK = 1.702  # Source: the quick GELU of CLIP's code.


class ClipLayer(nn.Module):
    """Attention of tokens to each other, and two linear layers for each. Shapes: [B, T, D] to the same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = JoinedAttention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        wide = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](wide * torch.sigmoid(QUICK * wide))


class JoinedAttention(nn.Module):
    """Self-attention with queries, keys and values in one matrix, as torch.nn.MultiheadAttention keeps them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.in_proj_bias)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        return self.out_proj(attention(q, k, v, self.heads))
