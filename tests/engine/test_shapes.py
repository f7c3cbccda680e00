"""engine/shapes.py: batches repeated and spread, pictures cut to proportions; by node_behaviour 0.2 and 0.3."""

import pytest
import torch

from engine.errors import ImageError
from engine.shapes import crop_to_aspect, fitted_picture, repeated_to_batch, spread_over_batch


def test_a_batch_is_cut_or_repeated_from_its_start() -> None:
    x = torch.arange(3.0)
    assert repeated_to_batch(x, 2).tolist() == [0, 1]
    assert repeated_to_batch(x, 3).tolist() == [0, 1, 2]
    assert repeated_to_batch(x, 7).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert repeated_to_batch(torch.ones(2, 3, 4), 5).shape == (5, 3, 4)
    with pytest.raises(ImageError, match="empty batch"):
        repeated_to_batch(torch.zeros(0, 4), 2)


def test_a_batch_is_spread_as_if_it_were_time() -> None:
    x = torch.arange(5.0)
    assert spread_over_batch(x, 5).tolist() == [0, 1, 2, 3, 4]
    assert spread_over_batch(x, 1).tolist() == [0]
    assert spread_over_batch(x, 2).tolist() == [0, 4]
    assert spread_over_batch(x, 3).tolist() == [0, 2, 4]
    assert spread_over_batch(x, 4).tolist() == [0, 1, 3, 4]
    assert spread_over_batch(x[:2], 5).tolist() == [0, 0, 1, 1, 1]
    assert spread_over_batch(x[:3], 6).tolist() == [0, 0, 1, 1, 2, 2]
    with pytest.raises(ImageError, match="empty batch"):
        spread_over_batch(torch.zeros(0, 4), 2)


def test_cropping_to_an_aspect_rounds_half_to_even_and_cuts_both_sides() -> None:
    x = torch.arange(10.0).expand(1, 1, 5, 10)
    assert crop_to_aspect(x, 5, 5)[0, 0, 0].tolist() == [2, 3, 4, 5, 6, 7]  # 2.5 on each side → 2
    tall = torch.arange(9.0)[:, None].expand(1, 1, 9, 2)
    assert crop_to_aspect(tall, 1, 1)[0, 0, :, 0].tolist() == [4]  # 3.5 on each side → 4


@pytest.mark.parametrize(
    ("shape", "width", "height"),
    [((1, 3, 100, 2), 300, 1), ((1, 3, 1, 64), 1, 4096), ((1, 3, 2, 100), 1, 300)],
    ids=["2 wide", "1 high, whose width is cut away", "2 high"],
)
def test_cutting_that_leaves_nothing_says_so(shape: tuple[int, ...], width: int, height: int) -> None:
    with pytest.raises(ImageError, match=f"left of a picture of {shape[3]}×{shape[2]} .* proportions {width}:{height}"):
        crop_to_aspect(torch.zeros(shape), width, height)


def test_pictures_are_cut_around_their_centre_before_they_are_resized() -> None:
    picture = torch.arange(32.0).expand(1, 1, 16, 32)
    made = fitted_picture(picture, (8, 8), "nearest-exact")
    assert made[0, 0, 0].tolist() == [9, 11, 13, 15, 17, 19, 21, 23]
    assert fitted_picture(picture.mT, (8, 8), "nearest-exact")[0, 0, :, 0].tolist() == made[0, 0, 0].tolist()
