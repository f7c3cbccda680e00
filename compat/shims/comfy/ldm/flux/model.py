"""Flux itself, which this program has no network of."""

from dataclasses import dataclass, field
from typing import Any

from comfy.ldm.flux.layers import timestep_embedding
from compat.missing import absent_class, missing

__all__ = ["timestep_embedding"]


@dataclass
class FluxParams:
    """The shape of a Flux."""

    in_channels: int = 16
    out_channels: int = 16
    vec_in_dim: int = 768
    context_in_dim: int = 4096
    hidden_size: int = 3072
    mlp_ratio: float = 4.0
    num_heads: int = 24
    depth: int = 19
    depth_single_blocks: int = 38
    axes_dim: list[int] = field(default_factory=lambda: [16, 56, 56])
    theta: int = 10_000
    patch_size: int = 2
    qkv_bias: bool = True
    guidance_embed: bool = True


Flux = absent_class(__name__, "Flux")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
