"""Pictures made and changed: against closed forms."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engine.errors import ImageError, OutOfMemory
from engine.graph.run import Run
from nodes import image

RUN = Run("1", print)

Noise = Callable[..., Tensor]


def test_an_empty_image_has_the_colour_asked_for() -> None:
    made = image.empty_image(width=5, height=3, batch_size=2, color=0xFF3300)
    assert made.shape == (2, 3, 5, 3)
    assert made.dtype == torch.float32
    assert torch.equal(made, torch.tensor([1.0, 0x33 / 255, 0.0]).expand(2, 3, 5, 3))


def test_scaling_to_nothing_leaves_the_picture(noise: Noise) -> None:
    picture = noise(1, 6, 9, 3)
    scaled = image.image_scale(image=picture, upscale_method="area", width=0, height=0, crop="disabled", run=RUN)
    assert scaled is picture


@pytest.mark.parametrize(
    ("width", "height", "size"), [(0, 5, (5, 8)), (3, 0, (2, 3)), (0, 1, (1, 2)), (7, 11, (11, 7))]
)
def test_one_side_of_zero_keeps_the_proportions(width: int, height: int, size: tuple[int, int], noise: Noise) -> None:
    picture = noise(2, 6, 9, 3)
    scaled = image.image_scale(
        image=picture, upscale_method="bilinear", width=width, height=height, crop="disabled", run=RUN
    )
    assert scaled.shape == (2, *size, 3)  # 5 · 9 / 6 = 7.5, rounded half to even


def test_halving_by_area_is_the_mean_of_four_pixels(noise: Noise) -> None:
    picture = noise(1, 6, 8, 3)
    scaled = image.image_scale_by(image=picture, upscale_method="area", scale_by=0.5, run=RUN)
    expected = picture.reshape(1, 3, 2, 4, 2, 3).mean(dim=(2, 4))
    assert torch.allclose(scaled, expected)


def test_doubling_by_nearest_repeats_every_pixel(noise: Noise) -> None:
    picture = noise(1, 3, 4, 4)
    scaled = image.image_scale_by(image=picture, upscale_method="nearest-exact", scale_by=2.0, run=RUN)
    assert torch.equal(scaled, picture.repeat_interleave(2, 1).repeat_interleave(2, 2))


def test_scaling_below_one_pixel_is_a_readable_error(noise: Noise) -> None:
    with pytest.raises(ImageError, match="every side must be at least 1"):
        image.image_scale_by(image=noise(1, 4, 4, 3), upscale_method="area", scale_by=0.01, run=RUN)


def test_center_crop_takes_the_middle() -> None:
    picture = torch.arange(9.0).reshape(1, 1, 9, 1).expand(1, 3, 9, 3)
    scaled = image.image_scale(image=picture, upscale_method="bilinear", width=3, height=3, crop="center", run=RUN)
    assert scaled[0, 0, :, 0].tolist() == [3, 4, 5]


def test_inverting_twice_gives_the_picture_back() -> None:
    picture = torch.tensor([0.0, 0.25, 1.0, 0.5]).reshape(1, 1, 1, 4)
    assert image.image_invert(image=picture).flatten().tolist() == [1.0, 0.75, 0.0, 0.5]
    assert torch.equal(image.image_invert(image=image.image_invert(image=picture)), picture)


def test_a_batch_has_the_size_of_its_first_picture(noise: Noise) -> None:
    first, second = noise(2, 6, 6, 3), torch.full((1, 4, 8, 3), 0.25)
    batch = image.image_batch(image1=first, image2=second, run=RUN)
    assert batch.shape == (3, 6, 6, 3)
    assert torch.equal(batch[:2], first)
    assert torch.allclose(batch[2], torch.tensor(0.25))


def test_pictures_with_and_without_alpha_do_not_go_into_one_batch(noise: Noise) -> None:
    with pytest.raises(ImageError, match="image1 has 3 channels and image2 4"):
        image.image_batch(image1=noise(1, 4, 4, 3), image2=noise(1, 4, 4, 4), run=RUN)


def test_pictures_are_regrouped_and_the_rest_is_kept(noise: Noise) -> None:
    pictures = [noise(3, 4, 4, 3, seed=1), noise(2, 4, 4, 3, seed=2)]
    groups = image.rebatch_images(images=pictures, batch_size=[2, 9])
    assert [len(group) for group in groups] == [2, 2, 1]
    assert torch.equal(torch.cat(groups), torch.cat(pictures))


def test_pictures_of_different_sizes_are_not_put_into_one_group(noise: Noise) -> None:
    pictures = [noise(1, 4, 4, 3), noise(1, 4, 6, 3)]
    assert len(image.rebatch_images(images=pictures, batch_size=[1])) == 2
    with pytest.raises(ImageError, match="4×4×3, 4×6×3"):
        image.rebatch_images(images=pictures, batch_size=[2])


@pytest.mark.parametrize("wrong", [torch.zeros(4, 4, 3), torch.zeros(0, 4, 4, 3), {"samples": 1}, None])
def test_what_is_no_picture_is_named_with_its_input(wrong: object) -> None:
    with pytest.raises(ImageError, match=r"^image1: expected"):
        image.image_batch(image1=wrong, image2=torch.zeros(1, 4, 4, 3), run=RUN)  # type: ignore[arg-type]


def test_a_batch_larger_than_memory_is_refused() -> None:
    with pytest.raises(OutOfMemory, match="ask for smaller or fewer pictures"):
        image.empty_image(width=16384, height=16384, batch_size=4096)
