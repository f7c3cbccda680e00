"""Edges, against kornia's."""

import kornia.filters
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from engine.errors import ImageError
from engine.images import from_pil
from engine.pictures.edges import canny


def drawing() -> Tensor:
    """Flat shapes with straight, slanted and round edges, and a soft one."""
    picture = Image.new("RGB", (72, 56), "navy")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((8, 8, 30, 40), fill="white")
    pen.ellipse((34, 6, 66, 38), fill="orange")
    pen.polygon([(10, 54), (40, 42), (70, 54)], fill="gray")
    picture.paste(Image.linear_gradient("L").resize((20, 12)), (44, 16))
    return from_pil(picture)


def noise() -> Tensor:
    return torch.rand(2, 33, 47, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("picture", [drawing(), noise(), noise()[..., :1]], ids=["drawing", "noise", "grey"])
@pytest.mark.parametrize(("low", "high"), [(0.4, 0.8), (0.1, 0.2), (0.05, 0.99)])
def test_edges_are_kornias(picture: Tensor, low: float, high: float) -> None:
    _, wanted = kornia.filters.canny(picture.movedim(-1, 1), low, high)
    made = canny(picture, low, high)
    assert torch.equal(made, wanted[:, 0])
    assert made.mean() < 0.5
    assert made.any() or high > 0.9


def test_a_step_between_flat_colours_is_one_pixel_wide() -> None:
    picture = torch.zeros(1, 9, 10, 3)
    picture[:, :, 5:] = 1
    assert canny(picture, 0.4, 0.8)[0].sum(dim=1).tolist() == [1] * 9


def test_a_faint_edge_is_kept_where_it_goes_on_from_a_strong_one() -> None:
    ramp = torch.linspace(0.05, 1, 64)[:, None].expand(64, 16)
    picture = torch.cat([torch.zeros(64, 16), ramp], dim=1)[None, ..., None]
    rows = canny(picture, 0.3, 2.0)[0].amax(dim=1)
    assert rows[-1] == 1  # strong
    assert 0 < rows[:32].sum() < 32  # weak ones that hang on it, and the weakest not


@pytest.mark.parametrize(("low", "high"), [(0.8, 0.4), (0.0, 0.5)])
def test_thresholds_the_wrong_way_round_are_an_error(low: float, high: float) -> None:
    with pytest.raises(ImageError, match="low_threshold"):
        canny(noise(), low, high)


def test_a_picture_too_small_for_edges_is_an_error() -> None:
    with pytest.raises(ImageError, match="at least 3×3"):
        canny(torch.zeros(1, 2, 9, 3), 0.4, 0.8)
