"""The networks of an IP-Adapter: what makes tokens of a picture, and what makes keys and values of those tokens.

Attributes are named as in the published files. Source: Ye et al. 2023, arXiv 2308.06721, and the files and code of
github.com/tencent-ailab/IP-Adapter (Apache-2.0).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from engine.devices.attention import attention
from engine.models.shapes import Shapes

Kind = Literal["standard", "plus", "full"]

TOKENS = 4
"""How many tokens the standard projection makes of a picture. Source: the paper, section 3.2.1."""

RESAMPLER_HEAD = 64
"""How wide a head of the resampler is. Source: the released code; diffusers reads it the same way."""


@dataclass(frozen=True)
class IpAdapterConfig:
    """The shape of an IP-Adapter.

    `kind`: "standard" reads the summary of a picture, "plus" and "full" the states of all its cells. `clip_width` is
    what the projection reads, `context_width` what it makes; `layers` is, for each pair of key and value projections
    in the file's order, its number there and the width of its attention.
    """

    kind: Kind
    clip_width: int
    context_width: int
    layers: tuple[tuple[int, int], ...]
    tokens: int = TOKENS
    width: int = 0
    inner_width: int = 0
    depth: int = 0
    feed_forward: int = 0

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> "IpAdapterConfig":
        """Read the configuration off the tensors of a file, all their names from `image_proj` or `ip_adapter` on."""
        layers = tuple(sorted(_layers(shapes)))
        context_width = shapes[f"ip_adapter.{layers[0][0]}.to_k_ip.weight"][1]
        if "image_proj.proj.weight" in shapes:
            rows, clip_width = shapes["image_proj.proj.weight"]
            return cls("standard", clip_width, context_width, layers, max(1, rows // context_width))
        if "image_proj.proj.3.weight" in shapes:
            clip_width = shapes["image_proj.proj.0.weight"][1]
            return cls("full", clip_width, context_width, layers, 0)
        _, tokens, width = shapes["image_proj.latents"]
        depth = 0
        while f"image_proj.layers.{depth}.0.to_q.weight" in shapes:
            depth += 1
        return cls(
            "plus",
            shapes["image_proj.proj_in.weight"][1],
            context_width,
            layers,
            tokens,
            width,
            shapes["image_proj.layers.0.0.to_q.weight"][0],
            depth,
            shapes["image_proj.layers.0.1.1.weight"][0],
        )


def _layers(shapes: Shapes) -> list[tuple[int, int]]:
    return [
        (int(name.split(".")[1]), shape[0])
        for name, shape in shapes.items()
        if name.startswith("ip_adapter.") and name.endswith(".to_k_ip.weight")
    ]


class IpAdapter(nn.Module):
    """An IP-Adapter: tokens of a picture (`image_proj`), their keys and values for each attention (`ip_adapter`)."""

    def __init__(self, config: IpAdapterConfig) -> None:
        super().__init__()
        self.config = config
        self.image_proj = _projection(config)
        self.ip_adapter = nn.ModuleDict(
            {str(number): KeysAndValues(config.context_width, width) for number, width in config.layers}
        )

    def forward(self, seen: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of pictures for every attention, in the file's order.

        Shapes: seen [B, P], or [B, T, D] for all kinds but the standard one. Returns: pairs of [B, n, C].
        """
        tokens = self.image_proj(seen)  # [B, n, context_width]
        return [layer(tokens) for layer in self.ip_adapter.values()]  # pairs of [B, n, C]


class KeysAndValues(nn.Module):
    """The two projections that an IP-Adapter has for one attention."""

    def __init__(self, context_width: int, width: int) -> None:
        super().__init__()
        self.to_k_ip = nn.Linear(context_width, width, bias=False)
        self.to_v_ip = nn.Linear(context_width, width, bias=False)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return self.to_k_ip(tokens), self.to_v_ip(tokens)


class SummaryProjection(nn.Module):
    """A picture's summary as a few tokens. Shapes: [B, P] to [B, n, D]."""

    def __init__(self, clip_width: int, context_width: int, tokens: int) -> None:
        super().__init__()
        self.proj = nn.Linear(clip_width, tokens * context_width)
        self.norm = nn.LayerNorm(context_width)

    def forward(self, seen: Tensor) -> Tensor:
        return self.norm(self.proj(seen).unflatten(-1, (-1, self.norm.normalized_shape[0])))


class CellProjection(nn.Module):
    """Every cell of a picture as a token. Shapes: [B, T, D] to [B, T, context_width]."""

    def __init__(self, clip_width: int, context_width: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.Linear(clip_width, clip_width),
            nn.GELU(),
            nn.Linear(clip_width, context_width),
            nn.LayerNorm(context_width),
        )

    def forward(self, seen: Tensor) -> Tensor:
        return self.proj(seen)


class Resampler(nn.Module):
    """A few learned queries that gather what the cells of a picture show.

    Shapes: [B, T, D] to [B, n, context_width].
    Source: Alayrac et al. 2022, arXiv 2204.14198, the Perceiver resampler.
    """

    def __init__(self, config: IpAdapterConfig) -> None:
        super().__init__()
        width = config.width
        self.latents = nn.Parameter(torch.empty(1, config.tokens, width))
        self.proj_in = nn.Linear(config.clip_width, width)
        self.proj_out = nn.Linear(width, config.context_width)
        self.norm_out = nn.LayerNorm(config.context_width)
        self.layers = nn.ModuleList(
            nn.ModuleList([Gathering(width, config.inner_width), _feed_forward(width, config.feed_forward)])
            for _ in range(config.depth)
        )

    def forward(self, seen: Tensor) -> Tensor:
        latents = self.latents.expand(len(seen), -1, -1)
        cells = self.proj_in(seen)
        for layer in self.layers:
            gather, think = layer.children()
            latents = latents + gather(cells, latents)
            latents = latents + think(latents)
        return self.norm_out(self.proj_out(latents))


class Gathering(nn.Module):
    """Attention from the queries to the cells and to themselves."""

    def __init__(self, width: int, inner_width: int) -> None:
        super().__init__()
        self.heads = max(1, inner_width // RESAMPLER_HEAD)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner_width, bias=False)
        self.to_kv = nn.Linear(width, 2 * inner_width, bias=False)
        self.to_out = nn.Linear(inner_width, width, bias=False)

    def forward(self, cells: Tensor, latents: Tensor) -> Tensor:
        cells, latents = self.norm1(cells), self.norm2(latents)
        keys, values = self.to_kv(torch.cat([cells, latents], dim=1)).chunk(2, dim=-1)
        return self.to_out(attention(self.to_q(latents), keys, values, self.heads))


def _projection(config: IpAdapterConfig) -> nn.Module:
    if config.kind == "standard":
        return SummaryProjection(config.clip_width, config.context_width, config.tokens)
    if config.kind == "full":
        return CellProjection(config.clip_width, config.context_width)
    return Resampler(config)


def _feed_forward(width: int, inner_width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, inner_width, bias=False),
        nn.GELU(),
        nn.Linear(inner_width, width, bias=False),
    )
