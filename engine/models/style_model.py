"""The style adapter of T2I-Adapter: a picture's style as a few tokens of text.

Attributes are named as in the published file. Source: Mou et al. 2023, arXiv 2302.08453, and
github.com/TencentARC/T2I-Adapter (Apache-2.0).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.models.clip_layer import ClipLayer
from engine.models.shapes import Shapes


@dataclass(frozen=True)
class StyleModelConfig:
    """The shape of a style adapter; the defaults are those of the published one. Shapes do not tell `heads`."""

    width: int = 1024
    context_width: int = 768
    heads: int = 8
    layers: int = 3
    tokens: int = 8

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> "StyleModelConfig":
        """Read the configuration off the tensors of a file."""
        _, tokens, width = shapes["style_embedding"]
        layers = 0
        while f"transformer_layes.{layers}.attn.in_proj_weight" in shapes:
            layers += 1
        return cls(width, shapes["proj"][1], layers=layers, tokens=tokens)


class StyleModel(nn.Module):
    """Learned queries that go through a transformer together with what CLIP saw."""

    def __init__(self, config: StyleModelConfig) -> None:
        super().__init__()
        self.config = config
        self.style_embedding = nn.Parameter(torch.empty(1, config.tokens, config.width))
        self.proj = nn.Parameter(torch.empty(config.width, config.context_width))
        self.ln_pre = nn.LayerNorm(config.width)
        self.ln_post = nn.LayerNorm(config.width)
        # The published file spells it so.
        self.transformer_layes = nn.Sequential(*(ClipLayer(config.width, config.heads) for _ in range(config.layers)))

    def forward(self, seen: Tensor) -> Tensor:
        """The tokens of pictures. Shapes: seen [B, T, D], the last states. Returns: [B, n, context_width]."""
        queries = self.style_embedding.expand(len(seen), -1, -1)  # [B, n, D]
        h = self.ln_pre(torch.cat([seen, queries], dim=1))  # [B, T + n, D]
        h = self.transformer_layes(h)  # [B, T + n, D]
        return self.ln_post(h[:, -self.config.tokens :]) @ self.proj  # [B, n, context_width]
