"""The layers of Flux that are mathematics alone. Source: black-forest-labs/flux, layers.py."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from comfy import ops
from comfy.ldm.flux.math import rope
from comfy.rmsnorm import rms_norm
from compat.missing import absent_class, missing
from engine.models.layers import timestep_embedding as _waves


def timestep_embedding(t: Tensor, dim: int, max_period: int = 10000, time_factor: float = 1000.0) -> Tensor:
    """Waves that tell a time of 0 … 1. Shapes: t [B] → [B, dim], in the format of t."""
    waves = _waves(time_factor * t, dim, max_period)
    return waves.to(t) if torch.is_floating_point(t) else waves


class EmbedND(nn.Module):
    """Positions on several axes as rotations. Shapes: ids [B, T, axes] → [B, 1, T, dim / 2, 2, 2]."""

    def __init__(self, dim: int, theta: int, axes_dim: list[int]) -> None:
        super().__init__()
        self.dim, self.theta, self.axes_dim = dim, theta, axes_dim

    def forward(self, ids: Tensor) -> Tensor:
        parts = [rope(ids[..., axis], width, self.theta) for axis, width in enumerate(self.axes_dim)]
        return torch.cat(parts, dim=-3).unsqueeze(1)


class MLPEmbedder(nn.Module):
    """Two linear layers."""

    def __init__(
        self, in_dim: int, hidden_dim: int, dtype: Any = None, device: Any = None, operations: Any = ops.manual_cast
    ) -> None:
        super().__init__()
        self.in_layer = operations.Linear(in_dim, hidden_dim, bias=True, dtype=dtype, device=device)
        self.silu = nn.SiLU()
        self.out_layer = operations.Linear(hidden_dim, hidden_dim, bias=True, dtype=dtype, device=device)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_layer(self.silu(self.in_layer(x)))


class RMSNorm(nn.Module):
    """A norm with a learned scale."""

    def __init__(self, dim: int, dtype: Any = None, device: Any = None, operations: Any = None) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(dim, dtype=dtype, device=device), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.scale, 1e-6)


class QKNorm(nn.Module):
    """A norm for queries and one for keys."""

    def __init__(self, dim: int, dtype: Any = None, device: Any = None, operations: Any = None) -> None:
        super().__init__()
        self.query_norm = RMSNorm(dim, dtype=dtype, device=device)
        self.key_norm = RMSNorm(dim, dtype=dtype, device=device)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return self.query_norm(q).to(v), self.key_norm(k).to(v)


class SelfAttention(nn.Module):
    """The weights of an attention; the blocks compute it."""

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        qkv_bias: bool = False,
        dtype: Any = None,
        device: Any = None,
        operations: Any = ops.manual_cast,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = operations.Linear(dim, dim * 3, bias=qkv_bias, dtype=dtype, device=device)
        self.norm = QKNorm(dim // num_heads, dtype=dtype, device=device)
        self.proj = operations.Linear(dim, dim, dtype=dtype, device=device)


@dataclass
class ModulationOut:
    """How the time moves, scales and gates the activations."""

    shift: Tensor
    scale: Tensor
    gate: Tensor


class Modulation(nn.Module):
    """One such set, or two, from a vector. Shapes: vec [B, D]."""

    def __init__(
        self, dim: int, double: bool, dtype: Any = None, device: Any = None, operations: Any = ops.manual_cast
    ) -> None:
        super().__init__()
        self.is_double = double
        self.multiplier = 6 if double else 3
        self.lin = operations.Linear(dim, self.multiplier * dim, bias=True, dtype=dtype, device=device)

    def forward(self, vec: Tensor) -> tuple[ModulationOut, ModulationOut | None]:
        vec = vec[:, None, :] if vec.ndim == 2 else vec
        parts = self.lin(nn.functional.silu(vec)).chunk(self.multiplier, dim=-1)
        return ModulationOut(*parts[:3]), ModulationOut(*parts[3:]) if self.is_double else None


def apply_mod(tensor: Tensor, m_mult: Any, m_add: Any = None, modulation_dims: Any = None) -> Tensor:
    """Scaled and moved, everywhere or for ranges of tokens: (from, to, which row of the modulation)."""
    if modulation_dims is None:
        return tensor * m_mult if m_add is None else torch.addcmul(m_add, tensor, m_mult)
    parts = tensor.clone()
    for start, end, row in modulation_dims:
        parts[:, start:end] *= m_mult[:, row : row + 1]
        if m_add is not None:
            parts[:, start:end] += m_add[:, row : row + 1]
    return parts


DoubleStreamBlock = absent_class(__name__, "DoubleStreamBlock")
SingleStreamBlock = absent_class(__name__, "SingleStreamBlock")
LastLayer = absent_class(__name__, "LastLayer")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
