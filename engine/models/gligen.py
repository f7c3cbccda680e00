"""GLIGEN: phrases bound to boxes, by gated attention between the two attentions of a UNet's transformers.

Source: Li et al. 2023, arXiv 2301.07093; node_behaviour.md F.2 for the layout of files.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError
from engine.models.transformer import CrossAttention, FeedForward

MOST = 30
"""How many boxes the published networks were trained with."""

FREQUENCIES = 8
CORNERS = 4
PLACE_WIDTH = FREQUENCIES * 2 * CORNERS
HIDDEN = 512

FIRST_CLIP = 768  # Networks for texts of this width have a fixed number of heads, others heads of a fixed width.
HEADS, HEAD_WIDTH = 8, 64

BLOCKS = ("input_blocks", "middle_block", "output_blocks")
NULL = "position_net.null_positive_feature"
LAST = "position_net.linears.4.weight"


@dataclass(frozen=True)
class GligenConfig:
    """`widths` are those of the UNet's transformers in the order they run; `object_width` that of an object's token."""

    text_width: int
    object_width: int
    widths: tuple[int, ...]

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> "GligenConfig":
        """Read the configuration off the tensors of a file under our names. Raises: CheckpointError."""
        widths: list[int] = []
        while f"module_list.{len(widths)}.linear.weight" in shapes:
            widths.append(shapes[f"module_list.{len(widths)}.linear.weight"][0])
        if not widths or NULL not in shapes or LAST not in shapes:
            expected = f"{NULL}, {LAST} and input_blocks.1.1.….fuser.linear.weight"
            raise CheckpointError(f"no GLIGEN inside: expected {expected}; choose another file")
        return cls(shapes[NULL][0], shapes[LAST][0], tuple(widths))


class GatedSelfAttentionDense(nn.Module):
    """Attention over picture and objects, and a layer behind it; gates that began closed let them in."""

    def __init__(self, query_dim: int, context_dim: int, n_heads: int, d_head: int = 0) -> None:
        super().__init__()
        self.linear = nn.Linear(context_dim, query_dim)
        self.attn = CrossAttention(query_dim, query_dim, n_heads)
        self.ff = FeedForward(query_dim)
        self.norm1, self.norm2 = nn.LayerNorm(query_dim), nn.LayerNorm(query_dim)
        self.alpha_attn, self.alpha_dense = nn.Parameter(torch.tensor(0.0)), nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor, objs: Tensor) -> Tensor:
        """Shapes: x [B, T, D], objs [B, N, E]."""
        seen = self.norm1(torch.cat([x, self.linear(objs)], dim=1))
        x = x + self.alpha_attn.tanh() * self.attn(seen, seen, seen)[:, : x.shape[1]]
        return x + self.alpha_dense.tanh() * self.ff(self.norm2(x))


class PositionNet(nn.Module):
    """A phrase's vector and its box as one token. Places without an object have learned features."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.linears = nn.Sequential(
            nn.Linear(in_dim + PLACE_WIDTH, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, out_dim),
        )
        self.null_positive_feature = nn.Parameter(torch.zeros(in_dim))
        self.null_position_feature = nn.Parameter(torch.zeros(PLACE_WIDTH))

    def forward(self, boxes: Tensor, masks: Tensor, positive_embeddings: Tensor) -> Tensor:
        """Shapes: boxes [B, N, 4] of 0 … 1 (left, top, right, bottom), masks [B, N], positive_embeddings [B, N, D]."""
        frequencies = [100 ** (k / FREQUENCIES) for k in range(FREQUENCIES)]
        waves = [wave(f * boxes) for f in frequencies for wave in (torch.sin, torch.cos)]
        there = masks[..., None]
        phrase = positive_embeddings * there + (1 - there) * self.null_positive_feature
        place = torch.cat(waves, dim=-1) * there + (1 - there) * self.null_position_feature
        return self.linears(torch.cat([phrase, place], dim=-1))


class Gligen(nn.Module):
    """What reads phrases and boxes, and what shows them to each of the UNet's transformers, in the order they run."""

    def __init__(self, config: GligenConfig) -> None:
        super().__init__()
        self.config = config
        self.position_net = PositionNet(config.text_width, config.object_width)
        self.module_list = nn.ModuleList(
            GatedSelfAttentionDense(width, config.object_width, _heads(config, width)) for width in config.widths
        )


def names(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """A file's names -> ours: what shows objects is counted in the order in which the UNet's transformers run."""
    heads = sorted({_place(name) for name in shapes if name.startswith(BLOCKS) and ".fuser." in name})
    found = {head: f"module_list.{index}." for index, (_, _, head) in enumerate(heads)}
    made = {}
    for name in shapes:
        head, fuser, rest = name.partition(".fuser.")
        made[name] = found[head + fuser] + rest if head + fuser in found else name
    return made


def _place(name: str) -> tuple[int, tuple[int, ...], str]:
    head = name[: name.index(".fuser.") + len(".fuser.")]
    block, *rest = head.split(".")
    return BLOCKS.index(block), tuple(int(part) for part in rest if part.isdigit()), head


def _heads(config: GligenConfig, width: int) -> int:
    return HEADS if config.object_width == FIRST_CLIP else max(1, width // HEAD_WIDTH)
