import io

import pytest
import torch
from PIL import Image

from engine.models.latent_format import FLUX, SD1, LatentFormat
from engine.sampling.preview import guessed_colours, preview


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(("size", "largest", "expected"), [
    ((8, 12), 512, (96, 64)),
    ((128, 96), 512, (384, 512)),
    ((300, 300), 64, (64, 64)),
    ((1, 1), 512, (8, 8)),
])  # fmt: skip
def test_a_preview_is_a_jpeg_of_bounded_size(size: tuple[int, int], largest: int, expected: tuple[int, int]) -> None:
    picture = opened(preview(SD1, torch.randn(2, 4, *size), largest))
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", expected)


def test_colours_are_the_familys_where_they_are_known() -> None:
    red = LatentFormat(scale=1.0, rgb_factors=((2.0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)), rgb_bias=(0, -1, -1))
    assert opened(preview(red, torch.ones(1, 4, 8, 8))).getpixel((9, 9)) == pytest.approx((255, 0, 0), abs=3)


def test_a_family_without_colours_shows_light_and_dark() -> None:
    latent = torch.zeros(1, 16, 16, 16)
    latent[:, :3, :, 8:] = 5.0
    picture = opened(preview(FLUX, latent))
    dark, light = picture.getpixel((10, 60)), picture.getpixel((118, 60))
    assert sum(light) > sum(dark) + 100


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_guessed_colours_are_always_colours(channels: int) -> None:
    for latent in (
        torch.zeros(1, channels, 8, 8),
        torch.full((1, channels, 8, 8), float("nan")),
        torch.randn(2, channels, 8, 8),
    ):
        made = guessed_colours(latent)
        assert made.shape == (len(latent), 8, 8, 3)
        assert 0 <= float(made.min()) <= float(made.max()) <= 1
