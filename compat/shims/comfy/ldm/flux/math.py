"""Flux's rotary positions. Source: Su et al. 2021, arXiv 2104.09864; black-forest-labs/flux, math.py."""

from typing import Any

import torch
from torch import Tensor

from comfy.ldm.modules import attention as attentions


def rope(pos: Tensor, dim: int, theta: float) -> Tensor:
    """Positions as rotations. Shapes: pos [..., T] → [..., T, dim / 2, 2, 2]."""
    if dim % 2:
        raise ValueError(f"rotations turn pairs of features; expected an even number, got {dim}")
    steps = torch.arange(0, dim, 2, dtype=torch.float64, device=pos.device) / dim
    angles = pos.double()[..., None] * theta**-steps
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([cos, -sin, sin, cos], dim=-1).unflatten(-1, (2, 2)).float()


def apply_rope1(x: Tensor, freqs_cis: Tensor) -> Tensor:
    """Features turned, pair by pair. Shapes: x [..., T, d]; freqs_cis [..., T, d / 2, 2, 2]."""
    pairs = x.to(freqs_cis.dtype).unflatten(-1, (-1, 1, 2))
    turned = freqs_cis[..., 0] * pairs[..., 0] + freqs_cis[..., 1] * pairs[..., 1]
    return turned.reshape(x.shape).type_as(x)


def apply_rope(xq: Tensor, xk: Tensor, freqs_cis: Tensor) -> tuple[Tensor, Tensor]:
    """Queries and keys turned."""
    return apply_rope1(xq, freqs_cis), apply_rope1(xk, freqs_cis)


def attention(
    q: Tensor, k: Tensor, v: Tensor, pe: Tensor | None, mask: Tensor | None = None, transformer_options: Any = None
) -> Tensor:
    """Attention between tokens that know their places. Shapes: q, k, v [B, heads, T, d] → [B, T, heads·d]."""
    if pe is not None:
        q, k = apply_rope(q, k, pe)
    return attentions.optimized_attention(
        q, k, v, q.shape[1], skip_reshape=True, mask=mask, transformer_options=transformer_options or {}
    )
