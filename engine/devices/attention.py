"""Which kernel computes attention. Every network asks here, so that a faster one is put in at one place."""

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Mix the values of all tokens by how well their keys answer each query, in several heads at once.

    Shapes: q [B, T, heads·d]; k and v [B, S, heads·d]; mask [T, S], [B, T, S] or [B, heads, T, S], either added to the
    scores or boolean (True = may be looked at).
    Returns: [B, T, heads·d].
    Source: Vaswani et al. 2017, arXiv 1706.03762, eq. 1.
    """
    q, k, v = (_split(x, heads) for x in (q, k, v))
    if mask is not None and mask.ndim == 3:
        mask = mask.unsqueeze(1)
    mixed = scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return mixed.transpose(1, 2).flatten(2)


def _split(x: Tensor, heads: int) -> Tensor:
    batch, tokens, width = x.shape
    return x.view(batch, tokens, heads, width // heads).transpose(1, 2)
