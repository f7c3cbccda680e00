"""Latents made and changed."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engine.errors import ImageError, OutOfMemory, SamplingError
from engine.graph.run import Run
from nodes import latent, latent_math

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


# Latents changed: engine/pictures/test_latents.py has the numbers, here is how nodes use them.


def test_an_empty_latent_for_newer_models_has_16_channels() -> None:
    assert torch.equal(latent.empty_sd3_latent_image(width=64, height=32)["samples"], torch.zeros(1, 16, 4, 8))


def test_latents_are_turned_clockwise_and_mirrored_without_their_mask(noise: Noise) -> None:
    given = {"samples": noise(1, 4, 5, 8), "noise_mask": noise(1, 1, 40, 64)}
    turned = latent.latent_rotate(samples=given, rotation="90 degrees")
    for y in range(8):
        for x in range(5):
            assert torch.equal(turned["samples"][..., y, x], given["samples"][..., 4 - x, y])
    assert turned["noise_mask"] is given["noise_mask"]
    mirrored = latent.latent_flip(samples=given, flip_method="y-axis: horizontally")
    assert torch.equal(mirrored["samples"], given["samples"].flip(3))


def test_latents_are_cut_and_pasted_in_pixels(noise: Noise) -> None:
    given, other = {"samples": noise(1, 4, 16, 16)}, {"samples": noise(1, 4, 8, 8, seed=1)}
    cut = latent.latent_crop(samples=given, width=64, height=64, x=32, y=16)
    assert torch.equal(cut["samples"], given["samples"][..., 2:10, 4:12])
    pasted = latent.latent_composite(samples_to=given, samples_from=other, x=32, y=16, feather=0)
    assert torch.equal(pasted["samples"][..., 2:10, 4:12], other["samples"])
    masked = latent.latent_composite_masked(destination=given, source=other, x=32, y=16, mask=torch.zeros(64, 64))
    assert torch.equal(masked["samples"], given["samples"])


def test_batches_are_taken_apart_and_put_together(noise: Noise) -> None:
    given = {"samples": noise(3, 4, 8, 8)}
    two = latent.latent_from_batch(samples=given, batch_index=1, length=2)
    assert two["batch_index"] == [1, 2]
    assert latent.latent_batch(samples1=two, samples2=given)["batch_index"] == [1, 2, 0, 1, 2]
    assert len(latent.repeat_latent_batch(samples=two, amount=2)["samples"]) == 4
    assert latent.latent_batch_seed_behavior(samples=two, seed_behavior="fixed")["batch_index"] == [1, 1]
    assert "batch_index" not in latent.latent_batch_seed_behavior(samples=two, seed_behavior="random")
    assert [len(each["samples"]) for each in latent.rebatch_latents(latents=[given, two], batch_size=[4])] == [4, 1]


@pytest.mark.parametrize("wrong", [[1], [0, 1, -1], [0, 1, 2**20]])
def test_places_that_do_not_fit_the_batch_are_named(wrong: list[int], noise: Noise) -> None:
    with pytest.raises(SamplingError, match="samples: batch_index should be 3 numbers"):
        latent.latent_from_batch(samples={"samples": noise(3, 4, 8, 8), "batch_index": wrong}, length=2)


def test_latents_of_another_family_are_named_with_their_input(noise: Noise) -> None:
    mine, other = {"samples": noise(1, 4, 8, 8)}, {"samples": noise(1, 16, 8, 8)}
    for work in (latent_math.latent_add, latent_math.latent_subtract, latent.latent_batch):
        with pytest.raises(SamplingError, match="both must be made by the same model family") as raised:
            work(samples1=mine, samples2=other)
        assert raised.value.input == "samples2"


def test_latents_are_calculated_with(noise: Noise) -> None:
    one, two = {"samples": noise(2, 4, 8, 8), "batch_index": [3, 4]}, {"samples": noise(1, 4, 8, 8, seed=1)}
    assert torch.equal(latent_math.latent_add(samples1=one, samples2=two)["samples"], one["samples"] + two["samples"])
    less = latent_math.latent_subtract(samples1=one, samples2=two)
    assert torch.equal(less["samples"], one["samples"] - two["samples"])
    assert less["batch_index"] == [3, 4]
    assert torch.equal(latent_math.latent_multiply(samples=one, multiplier=-2.0)["samples"], one["samples"] * -2)
    assert torch.equal(
        latent_math.latent_blend(samples1=one, samples2=two, blend_factor=1.0)["samples"], one["samples"]
    )
    same = latent_math.latent_interpolate(samples1=one, samples2=two, ratio=1.0)
    assert torch.allclose(same["samples"], one["samples"], atol=1e-6)
    strip = latent_math.latent_cut(samples=one, dim="x", index=2, amount=3)
    assert strip["samples"].shape == (2, 4, 8, 3)
    assert latent_math.latent_concat(samples1=one, samples2=strip, dim="x")["samples"].shape == (2, 4, 8, 11)
