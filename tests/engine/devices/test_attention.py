import pytest
import torch
from torch import Tensor

from engine.devices.attention import attention


def by_hand(q: Tensor, k: Tensor, v: Tensor, heads: int, allowed: Tensor | None = None) -> Tensor:
    width = q.shape[-1] // heads
    mixed = []
    for head in range(heads):
        columns = slice(head * width, (head + 1) * width)
        scores = q[..., columns] @ k[..., columns].transpose(1, 2) / width**0.5
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        mixed.append(scores.softmax(dim=-1) @ v[..., columns])
    return torch.cat(mixed, dim=-1)


@pytest.fixture
def qkv() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(2, tokens, 12, generator=generator) for tokens in (5, 7, 7))


@pytest.mark.parametrize("heads", [1, 3])
def test_attention_is_the_papers_formula_per_head(qkv, heads):
    torch.testing.assert_close(attention(*qkv, heads), by_hand(*qkv, heads))


def test_a_mask_hides_tokens_from_all_or_from_some(qkv):
    allowed = torch.ones(2, 5, 7, dtype=torch.bool)
    allowed[0, :, 4:] = False
    torch.testing.assert_close(attention(*qkv, 3, mask=allowed), by_hand(*qkv, 3, allowed))
    torch.testing.assert_close(attention(*qkv, 3, mask=allowed[0]), by_hand(*qkv, 3, allowed[0]))
    torch.testing.assert_close(attention(*qkv, 3, mask=allowed[:, None]), by_hand(*qkv, 3, allowed))


def test_an_additive_mask_shifts_the_scores(qkv):
    allowed = torch.rand(5, 7, generator=torch.Generator().manual_seed(1)) > 0.4
    shift = torch.zeros(5, 7).masked_fill(~allowed, float("-inf"))
    torch.testing.assert_close(attention(*qkv, 3, mask=shift), by_hand(*qkv, 3, allowed))


def test_keys_of_a_width_of_their_own_tokens_may_be_views(qkv):
    q, k, v = qkv
    wide = torch.cat([k, v], dim=-1)
    torch.testing.assert_close(attention(q, wide[..., :12], wide[..., 12:], 3), attention(q, k, v, 3))
