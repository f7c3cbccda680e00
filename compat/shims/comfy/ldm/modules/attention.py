"""ComfyUI's attention: the function every network asks, and the transformers of its UNet.

The classes are the engine's own with ComfyUI's signatures: `transformer_options` where the engine takes its `Patches`.
Functions here are looked up when they are called, so that a plugin may put others in their place.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from comfy import ops
from comfy.ldm.util import default, exists
from compat.missing import absent_class, missing
from engine.models import transformer
from engine.models.patches import Patches

__all__ = ["default", "exists"]

Attention = Callable[..., Tensor]

OVERRIDE = "optimized_attention_override"


def wrap_attn(func: Attention) -> Attention:
    """The function, giving way to `optimized_attention_override` of the transformer_options it is called with."""

    @wraps(func)
    def chosen(*args: Any, **kwargs: Any) -> Tensor:
        options = kwargs.get("transformer_options") or {}
        override = options.get(OVERRIDE)
        if override is None:
            return func(*args, **kwargs)
        # The override may call what it was given, which must not come back here.
        kwargs["transformer_options"] = {name: value for name, value in options.items() if name != OVERRIDE}
        return override(func, *args, **kwargs)

    return chosen


@wrap_attn
def attention_pytorch(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    heads: int,
    mask: Tensor | None = None,
    attn_precision: torch.dtype | None = None,
    skip_reshape: bool = False,
    skip_output_reshape: bool = False,
    **kwargs: Any,
) -> Tensor:
    """Attention by PyTorch's own kernel.

    Shapes: q, k, v [B, T, heads·d], or [B, heads, T, d] with skip_reshape; mask [T, S], [B, T, S] or [B, heads, T, S].
    Returns: [B, T, heads·d], or [B, heads, T, d] with skip_output_reshape.
    """
    if not skip_reshape:
        q, k, v = (_heads_apart(x, heads) for x in (q, k, v))
    if mask is not None and mask.ndim == 3:
        mask = mask.unsqueeze(1)
    mixed = scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return mixed if skip_output_reshape else mixed.transpose(1, 2).flatten(2)


def _heads_apart(x: Tensor, heads: int) -> Tensor:
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads).transpose(1, 2)


@wrap_attn
def attention_basic(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    heads: int,
    mask: Tensor | None = None,
    attn_precision: torch.dtype | None = None,
    skip_reshape: bool = False,
    skip_output_reshape: bool = False,
    **kwargs: Any,
) -> Tensor:
    """The same with the whole table of scores in memory, in the precision asked for."""
    if not skip_reshape:
        q, k, v = (_heads_apart(x, heads) for x in (q, k, v))
    if attn_precision is not None:
        q, k = q.to(attn_precision), k.to(attn_precision)
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if mask is not None:
        mask = mask.unsqueeze(1) if mask.ndim == 3 else mask
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    mixed = scores.softmax(dim=-1).to(v.dtype) @ v
    return mixed if skip_output_reshape else mixed.transpose(1, 2).flatten(2)


def attention_sub_quad(query: Tensor, key: Tensor, value: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
    """For devices with little memory; PyTorch's kernel keeps no table of scores either."""
    return attention_pytorch(query, key, value, heads, *args, **kwargs)


def attention_split(q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
    """For devices with little memory; PyTorch's kernel keeps no table of scores either."""
    return attention_pytorch(q, k, v, heads, *args, **kwargs)


def attention_xformers(q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
    """By the name of another library, whose work PyTorch's kernel does now."""
    return attention_pytorch(q, k, v, heads, *args, **kwargs)


optimized_attention: Attention = attention_pytorch
optimized_attention_masked: Attention = attention_pytorch


def optimized_attention_for_device(device: object, mask: bool = False, small_input: bool = False) -> Attention:
    """The function for a device: the same everywhere."""
    return optimized_attention_masked if mask else optimized_attention


class Live(Patches):
    """The engine's view of author hooks, kept in `transformer_options` itself, as ComfyUI's networks keep it."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self._lists = options.get("patches", {})
        self._replacements = options.get("patches_replace", {})

    def leave_transformer(self) -> None:
        """Counted by whoever runs the layers of a block, which plugins do themselves at times."""

    def _attended(self, name: str, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        replacements = self._replacements.get(name, {})
        place = self.options.get("block")
        if place is not None and replacements:
            exact = (*place, self.options.get("block_index"))
            replace = replacements.get(exact, replacements.get(tuple(place)))
            if replace is not None:
                return replace(q, k, v, self._extra(q, heads))
        return optimized_attention(q, k, v, heads=heads, attn_precision=None, transformer_options=self.options)


def live(options: Any) -> Patches | None:
    """What the engine's layers take, for what a plugin (a dict) or the engine (Patches, None) hands over."""
    return options if options is None or isinstance(options, Patches) else Live(options)


class GEGLU(transformer.GEGLU):
    """Half of a projection, multiplied by the GELU of the other half."""

    def __init__(
        self,
        dim_in: int,
        dim_out: int,
        dtype: Any = None,
        device: Any = None,
        operations: Any = ops.disable_weight_init,
    ) -> None:
        nn.Module.__init__(self)
        self.proj = operations.Linear(dim_in, dim_out * 2, dtype=dtype, device=device)


class FeedForward(transformer.FeedForward):
    """A wide layer between two projections."""

    def __init__(
        self,
        dim: int,
        dim_out: int | None = None,
        mult: int = 4,
        glu: bool = False,
        dropout: float = 0.0,
        dtype: Any = None,
        device: Any = None,
        operations: Any = ops.disable_weight_init,
    ) -> None:
        nn.Module.__init__(self)
        inner = int(dim * mult)
        first: nn.Module
        if glu:
            first = GEGLU(dim, inner, dtype=dtype, device=device, operations=operations)
        else:
            first = nn.Sequential(operations.Linear(dim, inner, dtype=dtype, device=device), nn.GELU())
        last = operations.Linear(inner, default(dim_out, dim), dtype=dtype, device=device)
        self.net = nn.Sequential(first, nn.Dropout(dropout), last)


class CrossAttention(transformer.CrossAttention):
    """Attention from one sequence to another, or to itself."""

    def __init__(
        self,
        query_dim: int,
        context_dim: int | None = None,
        heads: int = 8,
        dim_head: int = 64,
        dropout: float = 0.0,
        attn_precision: Any = None,
        dtype: Any = None,
        device: Any = None,
        operations: Any = ops.disable_weight_init,
    ) -> None:
        nn.Module.__init__(self)
        inner, given = dim_head * heads, default(context_dim, query_dim)
        self.heads, self.dim_head, self.attn_precision, self.float32 = heads, dim_head, attn_precision, False
        self.to_q = operations.Linear(query_dim, inner, bias=False, dtype=dtype, device=device)
        self.to_k = operations.Linear(given, inner, bias=False, dtype=dtype, device=device)
        self.to_v = operations.Linear(given, inner, bias=False, dtype=dtype, device=device)
        out = operations.Linear(inner, query_dim, dtype=dtype, device=device)
        self.to_out = nn.Sequential(out, nn.Dropout(dropout))

    def wear(self) -> None:
        """Sets what ComfyUI's constructor would have set on one that the engine made."""
        self.dim_head = self.to_q.weight.shape[0] // self.heads
        self.attn_precision = None

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        value: Tensor | None = None,
        mask: Any = None,
        transformer_options: Any = None,
    ) -> Tensor:
        context = x if context is None else context
        if isinstance(mask, Patches):  # the engine's own call: its view of the hooks, and the name of this attention
            return super().forward(x, context, value if value is not None else context, mask, transformer_options)
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(context if value is None else value)
        options = {"attn_precision": self.attn_precision, "transformer_options": transformer_options or {}}
        if mask is None:
            return self.to_out(optimized_attention(q, k, v, self.heads, **options))
        return self.to_out(optimized_attention_masked(q, k, v, self.heads, mask, **options))


class BasicTransformerBlock(transformer.TransformerBlock):
    """Self-attention, attention to the text, and two linear layers, each added to what came in."""

    def __init__(
        self,
        dim: int,
        n_heads: int,
        d_head: int,
        dropout: float = 0.0,
        context_dim: int | None = None,
        gated_ff: bool = True,
        checkpoint: bool = True,
        ff_in: bool = False,
        inner_dim: int | None = None,
        disable_self_attn: bool = False,
        disable_temporal_crossattention: bool = False,
        switch_temporal_ca_to_sa: bool = False,
        attn_precision: Any = None,
        dtype: Any = None,
        device: Any = None,
        operations: Any = ops.disable_weight_init,
    ) -> None:
        nn.Module.__init__(self)
        if ff_in or disable_temporal_crossattention or switch_temporal_ca_to_sa or inner_dim not in (None, dim):
            raise NotImplementedError("BasicTransformerBlock: the variants of video networks are not offered here")
        built: dict[str, Any] = {"dtype": dtype, "device": device, "operations": operations}
        attends = {**built, "heads": n_heads, "dim_head": d_head, "dropout": dropout, "attn_precision": attn_precision}
        self.heads = n_heads
        self.ff_in = None
        self.ff = FeedForward(dim, dropout=dropout, glu=gated_ff, **built)
        self.attn1 = CrossAttention(dim, context_dim if disable_self_attn else None, **attends)
        self.attn2 = CrossAttention(dim, context_dim, **attends)
        for name in ("norm1", "norm2", "norm3"):
            setattr(self, name, operations.LayerNorm(dim, dtype=dtype, device=device))
        self._wear(disable_self_attn, d_head)

    def wear(self) -> None:
        """Sets what ComfyUI's constructor would have set on one that the engine made."""
        self.ff_in = None
        self._wear(self.only_text, self.attn1.to_q.weight.shape[0] // self.heads)

    def _wear(self, disable_self_attn: bool, d_head: int) -> None:
        self.n_heads, self.d_head = self.heads, d_head
        self.disable_self_attn, self.is_res, self.checkpoint = disable_self_attn, True, False
        self.attn_precision, self.switch_temporal_ca_to_sa = None, False

    def forward(self, x: Tensor, context: Tensor | None = None, transformer_options: Any = None) -> Tensor:
        if context is None:
            context = self.norm1(x) if self.attn2.to_k.weight.shape[1] == x.shape[-1] else x
        if not self.disable_self_attn:
            return super().forward(x, context, live(transformer_options))
        x = x + self.attn1(self.norm1(x), context=context)
        x = x + self.attn2(self.norm2(x), context=context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(transformer.SpatialTransformer):
    """Every cell of the picture looks at the other cells and at the text."""

    def __init__(
        self,
        in_channels: int,
        n_heads: int,
        d_head: int,
        depth: int = 1,
        dropout: float = 0.0,
        context_dim: Any = None,
        disable_self_attn: bool = False,
        use_linear: bool = False,
        use_checkpoint: bool = True,
        attn_precision: Any = None,
        dtype: Any = None,
        device: Any = None,
        operations: Any = ops.disable_weight_init,
    ) -> None:
        nn.Module.__init__(self)
        widths = context_dim if isinstance(context_dim, list | tuple) else [context_dim] * depth
        built: dict[str, Any] = {"dtype": dtype, "device": device}
        inner = n_heads * d_head
        self.linear = use_linear
        self.norm = operations.GroupNorm(min(32, in_channels), in_channels, eps=1e-6, **built)
        layer = operations.Linear if use_linear else operations.Conv2d
        size = () if use_linear else (1,)
        self.proj_in = layer(in_channels, inner, *size, **built)
        self.transformer_blocks = nn.ModuleList(
            BasicTransformerBlock(
                inner,
                n_heads,
                d_head,
                dropout=dropout,
                context_dim=width,
                disable_self_attn=disable_self_attn,
                attn_precision=attn_precision,
                operations=operations,
                **built,
            )
            for width in widths
        )
        self.proj_out = layer(inner, in_channels, *size, **built)
        self.in_channels, self.use_linear = in_channels, use_linear

    def wear(self) -> None:
        """Sets what ComfyUI's constructor would have set on one that the engine made."""
        self.in_channels, self.use_linear = self.norm.num_channels, self.linear

    def forward(self, x: Tensor, context: Any = None, transformer_options: Any = None) -> Tensor:
        if isinstance(context, list):
            context = context[0]
        return super().forward(x, context, live(transformer_options))


SpatialVideoTransformer = absent_class(__name__, "SpatialVideoTransformer", SpatialTransformer)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
