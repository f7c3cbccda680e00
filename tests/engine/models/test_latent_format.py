import pytest
import torch

from engine.models import latent_format
from engine.models.latent_format import LatentFormat

FORMATS = {name: value for name, value in vars(latent_format).items() if isinstance(value, LatentFormat)}


@pytest.mark.parametrize(
    ("name", "latent", "expected"),
    [
        ("SD1", 2.0, 0.3643),
        ("SD2", 2.0, 0.3643),
        ("SDXL", 2.0, 0.2605),
        ("X4_UPSCALER", 2.0, 0.16666),
        ("SD3", 2.0, (2.0 - 0.0609) * 1.5305),
        ("FLUX", 2.0, (2.0 - 0.1159) * 0.3611),
    ],
)
def test_latents_are_shifted_then_scaled_as_the_family_was_trained(name, latent, expected):
    family = FORMATS[name]
    x = family.to_model(torch.full((1, family.channels, 2, 2), latent))
    torch.testing.assert_close(x, torch.full_like(x, expected))


def test_playground_normalises_every_channel_to_half_a_deviation():
    playground = FORMATS["PLAYGROUND"]
    one_deviation_up = torch.tensor(playground.mean) + torch.tensor(playground.deviation)
    x = playground.to_model(one_deviation_up.view(1, 4, 1, 1))
    torch.testing.assert_close(x, torch.full((1, 4, 1, 1), 0.5))


@pytest.mark.parametrize("name", FORMATS)
def test_the_way_back_undoes_the_way_there(name):
    family = FORMATS[name]
    latent = torch.randn(2, family.channels, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(family.to_latent(family.to_model(latent)), latent)


@pytest.mark.parametrize("name", [name for name in FORMATS if FORMATS[name].rgb_factors])
def test_colour_factors_have_a_row_per_channel(name):
    family = FORMATS[name]
    assert len(family.rgb_factors) == family.channels
    assert family.preview(torch.randn(2, family.channels, 3, 5)).shape == (2, 3, 5, 3)


def test_a_preview_mixes_the_channels_and_stays_in_range():
    family = LatentFormat(1.0, channels=2, rgb_factors=((0.5, 0.0, 9.0), (0.0, -0.5, 0.0)), rgb_bias=(0.0, 0.0, 0.5))
    picture = family.preview(torch.ones(1, 2, 1, 1))
    torch.testing.assert_close(picture.flatten(), torch.tensor([0.75, 0.25, 1.0]))


def test_sdxl_grey_is_a_little_warm_as_measured():
    grey = FORMATS["SDXL"].preview(torch.zeros(1, 4, 1, 1)).flatten() * 255
    torch.testing.assert_close(grey, torch.tensor([150.0, 140.0, 130.0]))


def test_a_family_without_measured_colours_has_no_preview():
    assert FORMATS["SD3"].preview(torch.zeros(1, 16, 2, 2)) is None
