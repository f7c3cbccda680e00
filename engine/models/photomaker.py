"""PhotoMaker's networks: a CLIP vision tower with two projections, and what fuses faces into the tokens of a text.

Attributes are named as in the published file. Source: Li et al. 2023, arXiv 2312.04461, and
github.com/TencentARC/PhotoMaker (Apache-2.0). Importing transformers is slow, so functions that need it import this.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.models.shapes import Shapes
from engine.models.vision import VisionConfig, VisionTower


@dataclass(frozen=True)
class PhotoMakerConfig:
    """The shape of a PhotoMaker: its vision tower, and the width of the second projection (CLIP-G's)."""

    vision: VisionConfig
    second: int

    @property
    def width(self) -> int:
        """The width of the text's tokens it changes: both projections beside each other."""
        return self.vision.projection + self.second

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> "PhotoMakerConfig":
        """Read the configuration off the tensors of a file, without what is in front of the tower's names."""
        return cls(VisionConfig.from_shapes(shapes), shapes["visual_projection_2.weight"][0])


class PhotoMaker(VisionTower):
    """The tower of faces with what joins them to a text."""

    def __init__(self, config: PhotoMakerConfig) -> None:
        super().__init__(config.vision)
        self.photomaker_config = config
        self.visual_projection_2 = nn.Linear(config.vision.width, config.second, bias=False)
        self.fuse_module = Fusing(config.width)

    def identities(self, pixels: Tensor) -> Tensor:
        """What faces are to a text's tokens. Shapes: pixels [B, 3, H, W]. Returns: [B, D]."""
        seen = super().forward(pixels)  # .image_embeds [B, P]
        summary = self.post_layernorm(seen.last_hidden_state[:, 0])  # [B, W]
        return torch.cat([seen.image_embeds, self.visual_projection_2(summary)], dim=-1)  # [B, D]


class Fusing(nn.Module):
    """Two residual layers over a token and a face. Shapes: token and face [B, D]. Returns: [B, D]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp1 = Mixing(2 * width, width)
        self.mlp2 = Mixing(width, width)
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, token: Tensor, face: Tensor) -> Tensor:
        h = self.mlp1(torch.cat([token, face], dim=-1)) + token
        return self.layer_norm(self.mlp2(h) + h)


class Mixing(nn.Module):
    """A norm and two linear layers with a GELU between them."""

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        self.layernorm = nn.LayerNorm(in_width)
        self.fc1 = nn.Linear(in_width, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(nn.functional.gelu(self.fc1(self.layernorm(x))))
