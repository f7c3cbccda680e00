"""Filters, against kornia, Pillow and closed forms."""

import kornia.color
import kornia.morphology
import numpy
import pytest
import scipy.ndimage
import torch
from torch import Tensor

from engine.errors import ImageError
from engine.images import to_uint8
from engine.pictures import filters


def picture(*shape: int) -> Tensor:
    return torch.rand(shape or (2, 17, 23, 3), generator=torch.Generator().manual_seed(1))


def bell(radius: int, sigma: float) -> numpy.ndarray:
    """As node_behaviour.md 4 describes it: over -1 … 1, so sigma counts in radii."""
    steps = numpy.linspace(-1, 1, 2 * radius + 1)
    weights = numpy.exp(-(steps[:, None] ** 2 + steps[None] ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def correlated(image: Tensor, kernel: numpy.ndarray) -> numpy.ndarray:
    made = numpy.empty(image.shape)
    for b in range(len(image)):
        for c in range(image.shape[3]):
            made[b, ..., c] = scipy.ndimage.correlate(image[b, ..., c].double().numpy(), kernel, mode="mirror")
    return made


@pytest.mark.parametrize(("radius", "sigma"), [(1, 1.0), (4, 0.3), (7, 10.0)])
def test_a_blur_is_a_bell_with_mirrored_borders(radius: int, sigma: float) -> None:
    made = filters.blurred(picture(), radius, sigma)
    assert numpy.allclose(made.numpy(), correlated(picture(), bell(radius, sigma)), atol=1e-5)


def test_a_radius_of_nothing_changes_nothing() -> None:
    given = picture()
    assert filters.blurred(given, 0, 1.0) is given
    assert filters.sharpened(given, 0, 1.0, 1.0) is given


@pytest.mark.parametrize(("radius", "sigma", "strength"), [(1, 1.0, 1.0), (3, 0.5, 0.2), (2, 1.0, 0.0)])
def test_sharpening_takes_the_blur_away_and_keeps_the_sum(radius: int, sigma: float, strength: float) -> None:
    blurred = correlated(picture(), bell(radius, sigma))
    # The kernel sums to one: what ten times the strength takes away, the centre gets back.
    wanted = picture().numpy() * (1 + 10 * strength) - 10 * strength * blurred
    made = filters.sharpened(picture(), radius, sigma, strength)
    assert numpy.allclose(made.numpy(), wanted.clip(0, 1), atol=1e-4)


def test_a_radius_larger_than_the_picture_is_an_error() -> None:
    with pytest.raises(ImageError, match="a radius of 4 pixels is too large for a picture of 9×4; take at most 3"):
        filters.blurred(picture(1, 4, 9, 3), 4, 1.0)


@pytest.mark.parametrize("order", [2, 4, 8, 16])
def test_bayers_matrix_has_every_threshold_once_and_is_even_in_every_quarter(order: int) -> None:
    matrix = filters.bayer(order)
    thresholds = (matrix * order**2 + (order**2 - 1) / 2).round().astype(int)
    assert sorted(thresholds.flatten()) == [*range(order**2)]
    assert matrix[: order // 2].mean() == pytest.approx(-1 / order**2, abs=0.13)
    assert numpy.allclose(matrix, (thresholds - (order**2 - 1) / 2) / order**2, atol=1e-6)


def test_bayers_small_matrix_is_the_papers() -> None:
    assert (filters.bayer(2) * 4 + 1.5).tolist() == [[0, 2], [3, 1]]


@pytest.mark.parametrize("dither", filters.DITHERS)
def test_pictures_get_no_more_colours_than_asked_for(dither: str) -> None:
    steps = torch.linspace(0, 1, 64)
    ramp = torch.stack([steps.expand(64, 64), steps[:, None].expand(64, 64), torch.full((64, 64), 0.3)], dim=-1)[None]
    made = filters.quantized(ramp, 8, dither)
    colours = {tuple(each) for each in to_uint8(made).reshape(-1, 3)}
    assert 2 < len(colours) <= 8
    assert (made - ramp).abs().mean() < 0.2
    if dither != "none":  # dots follow the mean where flat areas cannot
        flat = filters.quantized(ramp, 8, "none")
        bars = [each.movedim(-1, 1)[..., 16:48, 16:48].mean(dim=(2, 3)) for each in (made, flat, ramp)]
        assert (bars[0] - bars[2]).abs().max() <= (bars[1] - bars[2]).abs().max() + 0.02


@pytest.mark.parametrize("operation", filters.MORPHOLOGIES)
@pytest.mark.parametrize("side", [3, 4, 7])
def test_morphology_is_kornias(operation: str, side: int) -> None:
    names = {"erode": "erosion", "dilate": "dilation", "open": "opening", "close": "closing"}
    theirs = getattr(kornia.morphology, names.get(operation, operation))
    wanted = theirs(picture().movedim(-1, 1), torch.ones(side, side)).movedim(1, -1)
    assert torch.allclose(filters.morphed(picture(), operation, side), wanted, atol=1e-5)


def test_grain_is_the_seeds_and_stays_in_range() -> None:
    made = filters.noisy(picture(), 7, 0.5)
    expected = picture() + 0.5 * torch.randn(picture().shape, generator=torch.Generator().manual_seed(7))
    assert torch.equal(made, expected.clamp(0, 1))
    assert torch.equal(filters.noisy(picture(), 7, 0.0), picture())


def test_brightness_and_colours_are_kornias() -> None:
    wanted = kornia.color.rgb_to_ycbcr(picture().movedim(-1, 1))
    made = filters.to_yuv(picture())
    assert torch.allclose(torch.stack(made, dim=1), wanted, atol=1e-5)
    assert torch.allclose(filters.from_yuv(*made), picture(), atol=1e-4)
    strange = picture()[..., 0], picture()[..., 1], picture()[..., 2]
    wanted = kornia.color.ycbcr_to_rgb(torch.stack(strange, dim=1)).clamp(0, 1).movedim(1, -1)
    assert torch.allclose(filters.from_yuv(*strange), wanted, atol=5e-3)  # kornia rounds its constants to three digits
