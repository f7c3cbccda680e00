"""Pictures laid over each other: pasting, alpha, blending, and Porter and Duff's rules pixel by pixel."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from engine.errors import ImageError
from engine.pictures import compositing


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# pasting


@pytest.mark.parametrize(("x", "y"), [(0, 0), (8, 16), (-8, 16), (31, 7), (-400, 0), (800, 0)])
def test_what_is_pasted_is_cut_at_the_borders(x: int, y: int) -> None:
    canvas, source = torch.zeros(2, 1, 4, 5), drawn(1, 1, 3, 3) + 1
    made = compositing.paste_(canvas.clone(), source, x, y, cell=8)
    for row in range(4):
        for column in range(5):
            inner = row - y // 8, column - x // 8
            is_seen = all(0 <= each < 3 for each in inner)
            assert (made[:, 0, row, column] == (source[0, 0][inner] if is_seen else 0)).all()


def test_a_mask_of_any_size_weighs_what_is_pasted() -> None:
    below, above, mask = drawn(3, 4, 8, 8), drawn(2, 4, 4, 4, seed=1), drawn(2, 9, 7, seed=2)
    made = compositing.paste_(below.clone(), above, 0, 0, mask, resize_source=True)
    large = interpolate(above, size=(8, 8), mode="bilinear")[[0, 1, 0]]
    weight = interpolate(mask[:, None], size=(8, 8), mode="bilinear")[[0, 1, 0]]
    assert torch.allclose(made, weight * large + (1 - weight) * below)


def test_frames_are_pasted_into_frames() -> None:
    made = compositing.paste_(torch.zeros(1, 4, 3, 8, 8), torch.ones(1, 4, 3, 2, 2), 1, 1, torch.full((2, 2), 0.5))
    assert made[..., 1:3, 1:3].unique().tolist() == [0.5]
    assert made.sum() == 0.5 * 4 * 3 * 4


def test_pictures_of_different_kinds_are_not_pasted() -> None:
    with pytest.raises(ImageError, match="source has 4 channels and destination 16 channels"):
        compositing.paste_(torch.zeros(1, 16, 4, 4), torch.zeros(1, 4, 4, 4), 0, 0)


def test_faded_edges_are_those_inside_the_picture() -> None:
    canvas, source = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 4, 4)
    made = compositing.paste_faded_(canvas.clone(), source, 2, 0, 2)[0, 0]
    ramp = torch.tensor([0.5, 1.0, 1.0, 0.5])
    assert torch.equal(made[0], torch.tensor([0, 0, 0.5, 1, 1, 0.5, 0, 0]))  # not at the top, which is the border
    assert torch.equal(made[:4, 3], torch.tensor([1, 1, 1, 0.5]))
    assert torch.equal(made[3, 2:6], ramp * 0.5)
    corner = compositing.paste_faded_(canvas.clone(), source, 6, 6, 1)[0, 0]
    assert corner[6:, 6:].tolist() == [[1, 1], [1, 1]]  # the patch ends outside, a fade of one cell is none
    with pytest.raises(ImageError, match="samples_from has 3 channels and samples_to 1 channels"):
        compositing.paste_faded_(canvas.clone(), torch.ones(1, 3, 4, 4), 0, 0, 0)
    with pytest.raises(ImageError, match="samples_from has 1 channels and 2 frames and samples_to 1 channels;"):
        compositing.paste_faded_(canvas.clone(), torch.ones(1, 1, 2, 4, 4), 0, 0, 0)
    with pytest.raises(ImageError, match="samples_from holds 2 latents and samples_to 1"):
        compositing.paste_faded_(canvas.clone(), torch.ones(2, 1, 4, 4), 0, 0, 0)


# alpha


def test_alpha_goes_on_and_comes_off() -> None:
    image, mask = drawn(3, 4, 6, 3), drawn(2, 8, 12, seed=1)
    made = compositing.with_alpha(image, mask)
    assert made.shape == (2, 4, 6, 4)
    assert torch.allclose(made[..., 3], 1 - interpolate(mask[:, None], (4, 6), mode="bilinear")[:, 0])
    colours, transparent = compositing.without_alpha(made)
    assert torch.equal(colours, image[:2])
    assert torch.allclose(transparent, 1 - made[..., 3])
    assert not compositing.without_alpha(image)[1].any()


def test_a_source_is_cut_to_the_channels_of_the_destination_and_never_gets_some() -> None:
    opaque, transparent = drawn(1, 2, 2, 3), drawn(1, 2, 2, 4)
    assert torch.equal(compositing.with_channels_of(transparent, opaque), transparent[..., :3])
    assert compositing.with_channels_of(opaque, opaque).shape[3] == 3
    with pytest.raises(ImageError, match=r"destination has 4 channels and source only 3; take the alpha off dest"):
        compositing.with_channels_of(opaque, transparent)
    with pytest.raises(ImageError, match=r"image1 has 3 channels and image2 only 1; bring both to as many"):
        compositing.with_channels_of(opaque[..., :1], opaque, "image2", "image1")


# blending


def soft_light(a: float, b: float) -> float:
    """W3C Compositing and Blending Level 1, with the backdrop a."""
    if b <= 0.5:
        return a - (1 - 2 * b) * a * (1 - a)
    lifted = ((16 * a - 12) * a + 4) * a if a <= 0.25 else math.sqrt(a)
    return a + (2 * b - 1) * (lifted - a)


CLOSED = {
    "normal": lambda a, b: b,
    "multiply": lambda a, b: a * b,
    "screen": lambda a, b: a + b - a * b,
    "overlay": lambda a, b: 2 * a * b if a <= 0.5 else 2 * (a + b - a * b) - 1,
    "soft_light": soft_light,
    "difference": lambda a, b: a - b,
}


@pytest.mark.parametrize("mode", compositing.BLEND_MODES)
def test_pictures_are_blended_by_their_closed_forms(mode: str) -> None:
    a, b = drawn(1, 5, 7, 3), drawn(1, 5, 7, 3, seed=1)
    made = compositing.blended(a, b, 0.7, mode)
    for one, other, mixed in zip(a.flatten().tolist(), b.flatten().tolist(), made.flatten().tolist(), strict=True):
        wanted = one * 0.3 + CLOSED[mode](one, other) * 0.7
        assert mixed == pytest.approx(min(1, max(0, wanted)), abs=1e-5)


def test_the_second_picture_is_brought_to_the_size_of_the_first() -> None:
    a, b = drawn(2, 8, 8, 3), drawn(1, 4, 8, 3, seed=1)
    wanted = interpolate(b.movedim(-1, 1)[..., 2:6], size=(8, 8), mode="bicubic").movedim(1, -1)
    assert torch.allclose(compositing.blended(a, b, 1.0, "normal"), wanted.clamp(0, 1).expand(2, -1, -1, -1), atol=1e-6)


def test_pictures_that_cannot_be_blended_are_named() -> None:
    with pytest.raises(ImageError, match="image1 has 4 channels and image2 only 3; take the alpha off image1"):
        compositing.blended(drawn(1, 4, 4, 4), drawn(1, 4, 4, 3), 0.5, "normal")
    with pytest.raises(ImageError, match="image1 holds 2 pictures and image2 3; give one picture, or as many"):
        compositing.blended(drawn(2, 4, 4, 3), drawn(3, 4, 4, 3), 0.5, "normal")
    with pytest.raises(ImageError, match="'dodge': expected one of normal"):
        compositing.blended(drawn(1, 4, 4, 3), drawn(1, 4, 4, 3), 0.5, "dodge")


# Porter and Duff. Their table: which share of the source and of the destination is seen, by the opacities a and b.

SHARES = {
    "CLEAR": lambda a, b: (0, 0),
    "SRC": lambda a, b: (1, 0),
    "DST": lambda a, b: (0, 1),
    "SRC_OVER": lambda a, b: (1, 1 - a),
    "DST_OVER": lambda a, b: (1 - b, 1),
    "SRC_IN": lambda a, b: (b, 0),
    "DST_IN": lambda a, b: (0, a),
    "SRC_OUT": lambda a, b: (1 - b, 0),
    "DST_OUT": lambda a, b: (0, 1 - a),
    "SRC_ATOP": lambda a, b: (b, 1 - a),
    "DST_ATOP": lambda a, b: (1 - b, a),
    "XOR": lambda a, b: (1 - b, 1 - a),
}


@pytest.mark.parametrize("mode", SHARES)
def test_layers_are_put_together_by_porter_and_duffs_table(mode: str) -> None:
    above, over = drawn(1, 4, 4, 3), drawn(1, 4, 4, seed=1)
    below, under = drawn(1, 4, 4, 3, seed=2), drawn(1, 4, 4, seed=3)
    made, mask = compositing.porter_duff((above, over), (below, under), mode)
    for row in range(4):
        for column in range(4):
            a, b = 1 - float(over[0, row, column]), 1 - float(under[0, row, column])
            f, g = SHARES[mode](a, b)
            opacity = a * f + b * g
            assert float(mask[0, row, column]) == pytest.approx(1 - opacity, abs=1e-5)
            for channel in range(3):
                c, d = (float(each[0, row, column, channel]) for each in (above, below))
                wanted = (c * a * f + d * b * g) / opacity if opacity else 0
                assert float(made[0, row, column, channel]) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("mode", "closed"),
    [
        ("ADD", lambda s, d: min(1, s + d)),
        ("DARKEN", min),
        ("LIGHTEN", max),
        ("MULTIPLY", lambda s, d: s * d),
        ("SCREEN", lambda s, d: s + d - s * d),
        ("OVERLAY", lambda s, d: CLOSED["overlay"](d, s)),
    ],
)
def test_opaque_layers_are_blended(mode: str, closed) -> None:
    above, below, opaque = drawn(1, 4, 4, 3), drawn(1, 4, 4, 3, seed=2), torch.zeros(1, 4, 4)
    made, mask = compositing.porter_duff((above, opaque), (below, opaque), mode)
    assert not mask.any()
    for s, d, mixed in zip(*(each.flatten().tolist() for each in (above, below, made)), strict=True):
        assert mixed == pytest.approx(closed(s, d), abs=1e-5)


@pytest.mark.parametrize("mode", ["ADD", "DARKEN", "SCREEN", "SRC_OVER", "XOR"])
def test_nothing_over_a_picture_is_the_picture(mode: str) -> None:
    below, under = drawn(1, 4, 4, 3), drawn(1, 4, 4, seed=1) * 0.9
    made, mask = compositing.porter_duff((drawn(1, 4, 4, 3, seed=2), torch.ones(1, 4, 4)), (below, under), mode)
    assert torch.allclose(made, below, atol=1e-5)
    assert torch.allclose(mask, under, atol=1e-6)


def test_layers_of_other_sizes_follow_the_destination_and_the_smallest_batch() -> None:
    above, over = drawn(3, 8, 8, 3), drawn(2, 16, 16, seed=1)
    made, mask = compositing.porter_duff((above, over), (drawn(4, 4, 4, 3), torch.ones(5, 2, 2)), "SRC")
    assert (made.shape, mask.shape) == ((2, 4, 4, 3), (2, 4, 4))
    assert tuple(compositing.PORTER_DUFF_MODES)[:4] == ("ADD", "CLEAR", "DARKEN", "DST")
