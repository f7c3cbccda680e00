"""Pictures are what their description says; programs that look at them agree."""

import pytest
import torch

from engine.training import checks
from engine.training.captions import COLOURS, FAULTS, FINISHES, HUES, Picture, Placed
from engine.training.compositions import draw, turned

SIDE = 64


def disc(red: float, green: float, blue: float) -> torch.Tensor:
    """A premultiplied disc that fills most of its square."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    alpha = (((x - 31.5) ** 2 + (y - 31.5) ** 2) < 26**2).float()
    return torch.stack([red * alpha, green * alpha, blue * alpha, alpha])


LAYERS = torch.stack([disc(0.9, 0.1, 0.1), disc(0.1, 0.2, 0.9)])


def seen(picture: Picture) -> torch.Tensor:
    return draw(picture, LAYERS, SIDE) / 2 + 0.5


def test_an_icon_alone_keeps_its_own_pixels() -> None:
    expected = LAYERS[0, :3] + 1 - LAYERS[0, 3:]
    assert torch.allclose(seen(Picture((Placed(0),))), expected, atol=1e-6)


@pytest.mark.parametrize("name", COLOURS)
def test_the_background_is_found_again(name: str) -> None:
    assert checks.background(seen(Picture((Placed(0),), COLOURS[name], COLOURS[name]))) == name


@pytest.mark.parametrize(("x", "y"), [(0.29, 0.5), (0.71, 0.5), (0.5, 0.29), (0.5, 0.71)])
def test_an_icon_stands_where_it_was_placed(x: float, y: float) -> None:
    assert checks.middle(seen(Picture((Placed(0, x, y, 0.5),)))) == pytest.approx((x, y), abs=0.02)


@pytest.mark.parametrize("spots", [((0.27, 0.5), (0.73, 0.5)), ((0.27, 0.7), (0.73, 0.7), (0.5, 0.27))])
def test_things_are_counted(spots: tuple[tuple[float, float], ...]) -> None:
    picture = Picture(tuple(Placed(i % 2, x, y, 0.48) for i, (x, y) in enumerate(spots)))
    assert checks.count(seen(picture)) == len(spots)


@pytest.mark.parametrize("name", HUES)
def test_a_recoloured_icon_has_the_hue_that_was_asked_for(name: str) -> None:
    assert checks.hue(seen(Picture((Placed(0, hue=HUES[name]),)))) == name


def test_grey_stays_grey_when_the_hue_is_turned() -> None:
    grey = disc(0.5, 0.5, 0.5)
    assert torch.allclose(turned(grey, 120.0), grey, atol=1e-6)
    assert checks.hue(grey[:3] + 1 - grey[3:]) is None


def test_an_icon_partly_outside_is_cut_off_at_the_edge() -> None:
    half = seen(Picture((Placed(0, x=0.0),)))
    whole = seen(Picture((Placed(0),)))
    assert torch.equal(half[..., : SIDE // 2], whole[..., SIDE // 2 :])


@pytest.mark.parametrize("finish", FINISHES)
def test_every_finish_changes_the_picture_and_stays_in_range(finish: str) -> None:
    blue = COLOURS["blue"]
    plain, finished = (seen(Picture((Placed(0, size=0.7),), blue, blue, kind)) for kind in (None, finish))
    assert (plain - finished).abs().max() > 0.05
    assert finished.min() >= 0
    assert finished.max() <= 1


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_lose_detail(fault: str) -> None:
    clear, poor = (seen(Picture((Placed(0),), fault=kind)) for kind in (None, fault))
    assert 0 < (clear - poor).abs().mean() < 0.2


def test_a_gradient_runs_from_top_to_bottom() -> None:
    picture = seen(Picture((Placed(0, size=0.3),), (0, 0, 0), (255, 255, 255)))
    assert picture[:, 0, 0].max() < 0.01
    assert picture[:, -1, 0].min() > 0.99
