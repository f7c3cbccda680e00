"""Latents made and changed."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engine.errors import ImageError, OutOfMemory, SamplingError
from engine.graph.run import Run
from nodes import latent

RUN = Run("1", print)

Noise = Callable[..., Tensor]


def test_an_empty_latent_is_an_eighth_of_the_picture() -> None:
    made = latent.empty_latent_image(width=100, height=64, batch_size=3)
    assert torch.equal(made["samples"], torch.zeros(3, 4, 8, 12))


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(96, 80, (10, 12)), (0, 128, (16, 24)), (240, 0, (20, 30)), (8, 8, (8, 8)), (0, 8, (8, 12)), (100, 64, (8, 12))],
)
def test_a_latent_is_scaled_to_pixels_of_at_least_64(
    width: int, height: int, size: tuple[int, int], noise: Noise
) -> None:
    given = {"samples": noise(1, 4, 8, 12), "batch_index": [3], "noise_mask": torch.ones(1, 1, 64, 96)}
    scaled = latent.latent_upscale(
        samples=given, upscale_method="bislerp", width=width, height=height, crop="disabled", run=RUN
    )
    assert scaled["samples"].shape == (1, 4, *size)
    assert scaled["batch_index"] == [3]
    assert scaled["noise_mask"] is given["noise_mask"]
    assert given["samples"].shape == (1, 4, 8, 12)


def test_scaling_a_latent_to_nothing_leaves_it(noise: Noise) -> None:
    given = {"samples": noise(1, 4, 8, 12)}
    assert (
        latent.latent_upscale(samples=given, upscale_method="area", width=0, height=0, crop="center", run=RUN) is given
    )


def test_a_latent_is_scaled_by_a_factor_in_cells(noise: Noise) -> None:
    given = {"samples": noise(2, 4, 5, 7)}
    scaled = latent.latent_upscale_by(samples=given, upscale_method="nearest-exact", scale_by=1.5, run=RUN)
    assert scaled["samples"].shape == (2, 4, 8, 10)  # 7.5 → 8 and 10.5 → 10, half to even


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (3, 1, 5, 7), (1, 3, 5, 7)])
def test_a_mask_of_any_batch_shape_goes_with_the_latent_unresized(shape: tuple[int, ...], noise: Noise) -> None:
    given, mask = {"samples": noise(1, 4, 8, 8)}, noise(*shape)
    masked = latent.set_latent_noise_mask(samples=given, mask=mask)
    assert masked["noise_mask"].shape == (mask.numel() // 35, 1, 5, 7)
    assert torch.equal(masked["noise_mask"].flatten(), mask.flatten())
    assert "noise_mask" not in given


@pytest.mark.parametrize("wrong", [{}, {"samples": None}, None, {"samples": torch.zeros(4, 8, 8)}])
def test_what_is_no_latent_is_named(wrong: object) -> None:
    with pytest.raises(SamplingError, match=r"^samples: expected a latent"):
        latent.latent_upscale_by(samples=wrong, upscale_method="area", scale_by=2.0, run=RUN)  # type: ignore[arg-type]


def test_a_latent_of_size_zero_is_an_error() -> None:
    with pytest.raises(SamplingError, match="the latent is empty"):
        latent.latent_upscale_by(
            samples={"samples": torch.zeros(1, 4, 0, 8)}, upscale_method="area", scale_by=2.0, run=RUN
        )


@pytest.mark.parametrize("wrong", [torch.zeros(0, 8, 8), torch.zeros(8), torch.zeros(1, 0, 8)])
def test_an_empty_mask_is_an_error(wrong: Tensor, noise: Noise) -> None:
    with pytest.raises(ImageError, match=r"^mask: expected a mask"):
        latent.set_latent_noise_mask(samples={"samples": noise(1, 4, 8, 8)}, mask=wrong)


def test_a_batch_larger_than_memory_is_refused() -> None:
    with pytest.raises(OutOfMemory, match="ask for smaller or fewer pictures"):
        latent.empty_latent_image(width=16384, height=16384, batch_size=4096)
