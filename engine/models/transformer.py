"""Where the picture meets the text: the transformers inside a UNet."""

from torch import Tensor, nn
from torch.nn.functional import gelu

from engine.devices.attention import attention
from engine.models.layers import group_norm
from engine.models.patches import Patches


class SpatialTransformer(nn.Module):
    """Every cell of the picture looks at the other cells and at the text.

    Shapes: x [B, C, H, W]; context [B, T, D].
    Source: Rombach et al. 2022, arXiv 2112.10752, section 3.3 and appendix E.2.1.
    """

    def __init__(
        self, channels: int, heads: int, depth: int, context_width: int, linear: bool, only_text: bool = False
    ) -> None:
        super().__init__()
        self.linear = linear
        self.norm = group_norm(channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels) if linear else nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(channels, heads, context_width, only_text) for _ in range(depth)
        )
        self.proj_out = nn.Linear(channels, channels) if linear else nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, context: Tensor, patches: Patches | None = None) -> Tensor:
        h = self.norm(x)
        tokens = self.proj_in(_to_tokens(h)) if self.linear else _to_tokens(self.proj_in(h))
        for index, block in enumerate(self.transformer_blocks):
            if patches is not None:
                patches.enter_layer(index, tuple(x.shape))
            tokens = block(tokens, context, patches)
        if patches is not None:
            patches.leave_transformer()
        if self.linear:
            return x + _to_picture(self.proj_out(tokens), x)
        return x + self.proj_out(_to_picture(tokens, x))


class TransformerBlock(nn.Module):
    """Self-attention, attention to the text, and two linear layers, each added to what came in.

    `only_text`: in the place of self-attention is attention to the text as well.
    """

    only_text = False

    def __init__(self, width: int, heads: int, context_width: int, only_text: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.only_text = only_text
        self.attn1 = CrossAttention(width, context_width if only_text else width, heads)
        self.ff = FeedForward(width)
        self.attn2 = CrossAttention(width, context_width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, x: Tensor, context: Tensor, patches: Patches | None = None) -> Tensor:
        if patches is not None:
            return self._patched(x, context, patches)
        n = self.norm1(x)
        seen = context if self.only_text else n
        x = x + self.attn1(n, seen, seen)
        x = x + self.attn2(self.norm2(x), context, context)
        return x + self.ff(self.norm3(x))

    def _patched(self, x: Tensor, context: Tensor, patches: Patches) -> Tensor:
        n = self.norm1(x)
        if self.only_text:  # no self-attention, which what is put in at "attn1" is for
            n = self.attn1(n, context, context)
        else:
            n = self.attn1(*patches.attention_inputs("attn1_patch", n, n, n, self.heads), patches, "attn1")
        x = x + patches.tokens("attn1_output_patch", n, self.heads)
        x = patches.tokens("middle_patch", x, self.heads)
        n = self.norm2(x)
        n = self.attn2(*patches.attention_inputs("attn2_patch", n, context, context, self.heads), patches, "attn2")
        x = x + patches.tokens("attn2_output_patch", n, self.heads)
        return x + self.ff(self.norm3(x))


class CrossAttention(nn.Module):
    """Attention from one sequence to another, or to itself; `float32` where half precision would overflow."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.float32 = False
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width, width, bias=False)
        self.to_v = nn.Linear(context_width, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Identity())

    def forward(
        self, x: Tensor, context: Tensor, value: Tensor, patches: Patches | None = None, name: str = ""
    ) -> Tensor:
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(value)
        if self.float32:
            q, k, v = q.float(), k.float(), v.float()
        mixed = attention(q, k, v, self.heads) if patches is None else patches.attend(name, q, k, v, self.heads)
        return self.to_out(mixed.to(x.dtype) if self.float32 else mixed)


class FeedForward(nn.Module):
    """Four times the width behind a gate, and back.

    Source: Shazeer 2020, arXiv 2002.05202 (GEGLU).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GEGLU(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class GEGLU(nn.Module):
    """Half of a projection, multiplied by the GELU of the other half."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(in_width, 2 * out_width)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * gelu(gate)


def _to_tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2).contiguous()


def _to_picture(tokens: Tensor, like: Tensor) -> Tensor:
    return tokens.transpose(1, 2).reshape(like.shape)
