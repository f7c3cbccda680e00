"""Latents sharpened and with other tones, held to SciPy and to what tone mapping is defined by."""

import pytest
import scipy.ndimage
import torch

from engine.sampling.hooks import Answers, Hooks
from engine.steering.latent_operations import Sharpen, TonemapReinhard, blurred, guiding

LATENT, POSITIVE, NEGATIVE = torch.randn(3, 2, 4, 10, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("radius", "sigma"), [(1, 1.0), (3, 0.5), (9, 2.0), (31, 10.0)])
def test_the_blur_is_scipys(radius: int, sigma: float) -> None:
    theirs = scipy.ndimage.gaussian_filter(
        LATENT.double().numpy(), (0, 0, sigma, sigma), mode="nearest", radius=(0, 0, radius, radius)
    )
    torch.testing.assert_close(blurred(LATENT, radius, sigma).double(), torch.from_numpy(theirs), rtol=1e-5, atol=1e-5)


def test_sharpening_adds_to_each_colour_what_a_blur_takes_away() -> None:
    made = Sharpen(3, 1.0, 0.7)(LATENT)
    brightness = LATENT.norm(dim=1, keepdim=True)
    colour = LATENT / brightness
    soft = scipy.ndimage.gaussian_filter(colour.double().numpy(), (0, 0, 1, 1), mode="nearest", radius=(0, 0, 3, 3))
    expected = (colour + 0.7 * (colour - torch.from_numpy(soft).float())) * brightness
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-5)


def test_what_is_the_same_everywhere_has_no_edges() -> None:
    flat = torch.tensor([0.5, -1.0, 2.0, 0.0]).view(1, 4, 1, 1).expand(1, 4, 6, 6)
    torch.testing.assert_close(Sharpen(9, 1.0, 5.0)(flat), flat)


def test_no_sharpness_is_the_same_latent() -> None:
    assert Sharpen(9, 1.0, 0.0)(LATENT) is LATENT


@pytest.mark.parametrize("operation", [Sharpen(9, 1.0, 2.0), TonemapReinhard(1.0), TonemapReinhard(0.0)])
def test_nothing_stays_nothing_and_frames_are_their_own_pictures(operation) -> None:
    nothing = torch.zeros(1, 4, 5, 5)
    assert torch.equal(operation(nothing), nothing)
    assert bool(operation(LATENT).isfinite().all())
    frames = torch.stack([LATENT, LATENT], dim=2)
    torch.testing.assert_close(operation(frames)[:, :, 0], operation(LATENT))


def test_tones_are_reinhards_in_units_of_a_deviation_above_the_mean() -> None:
    made = TonemapReinhard(2.0)(LATENT)
    for before, after in zip(LATENT, made, strict=True):
        brightness = before.norm(dim=0)
        unit = 2.0 * (brightness.mean() + brightness.std(correction=0))
        scaled = brightness / unit
        torch.testing.assert_close(after.norm(dim=0) / unit, scaled / (1.0 + scaled))
        assert torch.cosine_similarity(after, before, dim=0).min() > 0.9999
    assert torch.equal(TonemapReinhard(0.0)(LATENT), torch.zeros_like(LATENT))


def test_an_operation_is_done_to_what_the_positive_has_more() -> None:
    def doubled(latent: torch.Tensor) -> torch.Tensor:
        return 2.0 * latent

    (before,) = guiding(doubled).before
    sigma = torch.tensor(1.0)
    changed = before(Answers(LATENT, sigma, POSITIVE, NEGATIVE, 3.0))
    torch.testing.assert_close(Hooks().pushed(changed), NEGATIVE + 6.0 * (POSITIVE - NEGATIVE), rtol=1e-5, atol=1e-5)
    # Where nobody asked the negative, it is zero, and the operation is done to the positive itself.
    alone = before(Answers(LATENT, sigma, POSITIVE, torch.zeros_like(POSITIVE), 1.0))
    assert torch.equal(alone.positive, 2.0 * POSITIVE)
