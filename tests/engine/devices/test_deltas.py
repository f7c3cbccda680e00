"""Each kind of change against the formula of its paper, written out with plain loops or products."""

import pytest
import torch

from engine.devices.deltas import (
    Difference,
    Generalised,
    Hadamard,
    Kronecker,
    LowRank,
    Orthogonal,
    Replacement,
)


def rand(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape) + len(shape)))


W = rand(6, 4)
CONV = rand(6, 4, 3, 3)


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("alpha", "scale"), [(None, 1.0), (1.0, 0.5), (4.0, 2.0)])
def test_lora_adds_up_times_down_scaled_by_alpha_over_rank(alpha, scale):
    up, down = rand(6, 2), rand(2, 4)
    close(LowRank(up, down, alpha=alpha).applied(W, 0.7), W + 0.7 * scale * (up @ down))


def test_a_lora_on_a_convolution_is_the_two_convolutions_one_after_the_other():
    up, down, x = rand(6, 2, 1, 1), rand(2, 4, 3, 3), rand(1, 4, 5, 5)
    changed = LowRank(up, down).applied(CONV, 0.5)
    conv = torch.nn.functional.conv2d
    close(conv(x, changed), conv(x, CONV) + 0.5 * conv(conv(x, down), up))


def test_locon_with_a_core_is_three_convolutions_one_after_the_other():
    up, mid, down, x = rand(6, 2, 1, 1), rand(2, 3, 3, 3), rand(3, 4, 1, 1), rand(1, 4, 5, 5)
    changed = LowRank(up, down, mid=mid).applied(CONV, 1.0)
    conv = torch.nn.functional.conv2d
    close(conv(x, changed), conv(x, CONV) + conv(conv(conv(x, down), mid), up))


def test_a_lora_may_ask_for_a_larger_weight():
    larger = LowRank(rand(6, 2), rand(2, 8), reshape=(6, 8)).applied(W, 1.0)
    close(larger, torch.cat([W, torch.zeros(6, 4)], dim=1) + rand(6, 2) @ rand(2, 8))


def test_loha_multiplies_two_products():
    a, b, c, d = rand(6, 2), rand(2, 4), rand(6, 3), rand(3, 4)
    close(Hadamard(a, b, c, d, alpha=1.0).applied(W, 2.0), W + 2.0 * 0.5 * (a @ b) * (c @ d))


def test_loha_with_cores_sums_over_both_ranks():
    a, b, t = rand(2, 6), rand(2, 4), rand(2, 2, 3, 3)
    first = sum(
        t[i, j][None, None] * a[i][:, None, None, None] * b[j][None, :, None, None] for i in range(2) for j in range(2)
    )
    close(Hadamard(a, b, a, b, t, t).applied(CONV, 1.0), CONV + first * first)


def test_lokr_is_a_kronecker_product():
    w1, w2_a, w2_b = rand(2, 2), rand(3, 1), rand(1, 2)
    expected = torch.stack([w1[i // 3, j // 2] * (w2_a @ w2_b)[i % 3, j % 2] for i in range(6) for j in range(4)])
    delta = Kronecker(w1, None, None, None, w2_a, w2_b, alpha=3.0)
    close(delta.applied(W, 0.5), W + 0.5 * 3.0 * expected.reshape(6, 4))


def test_lokr_of_whole_matrices_ignores_alpha():
    w1, w2 = rand(2, 2), rand(3, 2, 3, 3)
    expected = torch.stack([torch.kron(w1, w2[:, :, i, j]) for i in range(3) for j in range(3)], dim=-1)
    delta = Kronecker(w1, None, None, w2, None, None, alpha=7.0)
    close(delta.applied(CONV, 1.0), CONV + expected.reshape(6, 4, 3, 3))


@pytest.mark.parametrize("size", [(6, 4), (4, 4)])
def test_glora_in_both_layouts_is_the_same_change(size):
    out, width = size
    weight, x, y, u, v = rand(out, width), rand(width, 2), rand(2, width), rand(out, 2), rand(2, width)
    expected = weight + 0.5 * (weight @ x @ y + u @ v)
    close(Generalised(a1=x, a2=y, b1=u, b2=v).applied(weight, 0.5), expected)
    close(Generalised(a1=y, a2=x, b1=v, b2=u).applied(weight, 0.5), expected)


def test_glora_on_a_convolution_mixes_its_inputs():
    x, y, u, v = rand(4, 2), rand(2, 4), rand(6, 2), rand(2, 36)
    expected = CONV + torch.stack([CONV[..., i, j] @ x @ y for i in range(3) for j in range(3)], dim=-1).reshape(
        CONV.shape
    )
    close(Generalised(x, y, u, v).applied(CONV, 1.0), expected + (u @ v).reshape(CONV.shape))


def test_oft_turns_blocks_of_outputs_and_keeps_their_lengths():
    turned = Orthogonal(rand(3, 2, 2)).applied(W, 1.0)
    close(turned.reshape(3, 2, 4).norm(dim=1), W.reshape(3, 2, 4).norm(dim=1))
    assert not torch.allclose(turned, W, atol=0.1)


def test_oft_is_cayleys_rotation():
    a = 0.3
    skew = torch.tensor([[[0.0, a / 2], [-a / 2, 0.0]]])  # q = block - block^T = [[0, a], [-a, 0]]
    cos, sin = (1 - a * a) / (1 + a * a), 2 * a / (1 + a * a)
    rotation = torch.tensor([[cos, sin], [-sin, cos]])
    weight = rand(2, 4)
    close(Orthogonal(skew).applied(weight, 1.0), rotation.T @ weight)


def test_the_strength_of_oft_counts_twice():
    full, half = (Orthogonal(rand(3, 2, 2)).applied(W, s) - W for s in (1.0, 0.5))
    close(half, full / 4)


def test_oft_is_bounded_by_its_alpha():
    skew = torch.tensor([[[0.0, 5.0], [-5.0, 0.0]]])  # |q| = 10·√2, bounded to √2·0.1 = the rotation of a = 0.1
    bounded = Orthogonal(skew, alpha=0.1 * 2**0.5).applied(W[:2], 1.0)
    close(bounded, Orthogonal(skew / 100).applied(W[:2], 1.0))


def test_boft_is_orthogonal_and_mixes_far_rows():
    weight = torch.eye(8)
    turned = Orthogonal(rand(2, 4, 2, 2)).applied(weight, 1.0)
    close(turned @ turned.T, torch.eye(8))
    once = Orthogonal(rand(2, 4, 2, 2)[:1]).applied(weight, 1.0)
    assert once[0].count_nonzero() == 2
    assert turned[0].count_nonzero() == 4


def test_rescale_multiplies_what_was_turned():
    rescale = rand(6, 1)
    close(Orthogonal(torch.zeros(3, 2, 2), rescale).applied(W, 1.0), W * rescale)


def test_dora_keeps_direction_and_length_apart():
    up, down, scale = rand(6, 2), rand(2, 4), rand(6, 1).abs()
    changed = W + up @ down
    expected = changed * scale / W.norm(dim=1, keepdim=True)
    close(LowRank(up, down, dora_scale=scale).applied(W, 0.5), W + 0.5 * (expected - W))


def test_dora_by_columns_divides_by_the_changed_weights_length():
    up, down, scale = rand(6, 2), rand(2, 4), rand(1, 4).abs()
    changed = W + up @ down
    expected = changed * scale / changed.norm(dim=0, keepdim=True)
    close(LowRank(up, down, dora_scale=scale).applied(W, 1.0), expected)


def test_dora_on_a_convolution_has_one_length_per_output():
    up, down, scale = rand(6, 2, 1, 1), rand(2, 4, 3, 3), rand(6, 1, 1, 1).abs()
    changed = CONV + (up.flatten(1) @ down.flatten(1)).reshape(CONV.shape)
    expected = changed * scale / CONV.flatten(1).norm(dim=1).reshape(6, 1, 1, 1)
    close(LowRank(up, down, dora_scale=scale).applied(CONV, 1.0), expected)


def test_differences_add_and_replacements_replace():
    close(Difference(rand(6, 4)).applied(W, -0.5), W - 0.5 * rand(6, 4))
    close(Replacement(rand(6, 4)).applied(W, 0.1), rand(6, 4))
    with pytest.raises(ValueError, match="shape"):
        Difference(rand(1, 4)).applied(W, 1.0)
    with pytest.raises(ValueError, match=r"a replacement of shape \(4, 6\) for one of \(6, 4\)"):
        Replacement(rand(4, 6)).applied(W, 1.0)


@pytest.mark.parametrize("shape", [(2**40, 2**20), (6, 17), (6, 3), (6,), (6, 4, 1), (-6, -4), ()])
def test_a_weight_is_not_padded_to_less_or_far_more_than_it_is(shape):
    with pytest.raises(ValueError, match="asks for the shape"):
        LowRank(rand(6, 2), rand(2, 4), reshape=shape).applied(W, 1.0)


TALL, WIDE = torch.ones(2**20, 1), torch.ones(1, 2**20)


@pytest.mark.parametrize(
    "delta",
    [
        LowRank(TALL, WIDE),
        LowRank(TALL, WIDE, mid=torch.ones(1, 1, 3, 3)),
        Hadamard(TALL, WIDE, TALL, WIDE),
        Hadamard(WIDE, WIDE, WIDE, WIDE, torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3)),
        Kronecker(TALL, None, None, WIDE, None, None),
        Kronecker(None, TALL, WIDE, W, None, None),
        Generalised(rand(4, 2), rand(2, 4), TALL, WIDE),
        Generalised(TALL, WIDE, rand(6, 1), rand(1, 4)),
    ],
    ids=lambda delta: type(delta).__name__,
)
def test_small_factors_of_an_enormous_product_are_refused_before_they_are_multiplied(delta):
    """Each product would take 4 TiB."""
    with pytest.raises(ValueError, match="for a weight of"):
        delta.applied(W, 1.0)
