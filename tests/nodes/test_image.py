"""Pictures made and changed: against closed forms."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engine.errors import ImageError, OutOfMemory
from engine.graph.events import Event
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


def test_a_crop_that_leaves_nothing_is_a_readable_error_about_the_picture(noise: Noise) -> None:
    with pytest.raises(ImageError, match=r"nothing is left of a picture of 64×1 .* proportions 1:300") as caught:
        image.image_scale(image=noise(1, 1, 64, 3), upscale_method="area", width=1, height=300, crop="center", run=RUN)
    assert caught.value.input == "image"


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


def test_pictures_are_scaled_to_a_number_of_pixels(noise: Noise) -> None:
    made = image.image_scale_to_total_pixels(image=noise(1, 30, 50, 3), upscale_method="area", megapixels=0.01, run=RUN)
    scale = (int(0.01 * 1024 * 1024) / 1500) ** 0.5
    assert made.shape == (1, round(30 * scale), round(50 * scale), 3)


@pytest.mark.parametrize(
    ("size", "made"), [((30, 50), (19, 32)), ((50, 30), (32, 19)), ((9, 9), (32, 32)), ((1, 99), (1, 32))]
)
def test_the_longer_side_is_brought_to_a_size(size: tuple[int, int], made: tuple[int, int], noise: Noise) -> None:
    scaled = image.image_scale_to_max_dimension(
        image=noise(1, *size, 3), upscale_method="bilinear", largest_size=32, run=RUN
    )
    assert scaled.shape[1:3] == made


def test_a_side_of_nothing_is_an_error(noise: Noise) -> None:
    with pytest.raises(ImageError, match="every side must be at least 1"):
        image.image_scale_to_max_dimension(image=noise(1, 4, 4, 3), upscale_method="area", largest_size=0, run=RUN)


def test_pictures_are_taken_out_of_a_batch_and_repeated(noise: Noise) -> None:
    given = noise(4, 2, 2, 3)
    assert torch.equal(image.image_from_batch(image=given, batch_index=1, length=2), given[1:3])
    assert torch.equal(image.image_from_batch(image=given, batch_index=99, length=2), given[3:])
    assert torch.equal(image.repeat_image_batch(image=given, amount=2), torch.cat([given, given]))


def test_the_size_is_told_and_shown(noise: Noise) -> None:
    events: list[Event] = []
    made = image.get_image_size(image=noise(2, 3, 5, 3), run=Run("1", events.append))
    assert made == (5, 3, 2)
    assert "width: 5, height: 3" in str(events)


def test_a_picture_gets_room_to_be_drawn_in(noise: Noise) -> None:
    made, mask = image.image_pad_for_outpaint(image=noise(1, 16, 16, 3), left=8, feathering=0)
    assert torch.equal(made[:, :, 8:], noise(1, 16, 16, 3))
    assert mask[0].mean(dim=0).tolist() == [1.0] * 8 + [0.0] * 16


def test_a_picture_is_turned_mirrored_cut_and_stitched(noise: Noise) -> None:
    given = noise(1, 4, 6, 3)
    assert image.image_rotate(image=given, rotation="90 degrees").shape == (1, 6, 4, 3)
    assert torch.equal(image.image_flip(image=given, flip_method="x-axis: vertically"), given.flip(1))
    assert torch.equal(image.image_crop(image=given, width=2, height=2, x=3, y=1), given[:, 1:3, 3:5])
    assert image.image_stitch(image1=given, direction="right", spacing_color="white") is given
    both = image.image_stitch(image1=given, direction="left", spacing_color="black", spacing_width=2, image2=given)
    assert both.shape == (1, 4, 14, 3)
    padded = image.resize_and_pad_image(
        image=given, target_width=8, target_height=8, padding_color="black", interpolation="area"
    )
    assert padded.shape == (1, 8, 8, 3)


def test_a_picture_for_kontext_is_cut_and_scaled(noise: Noise) -> None:
    assert image.flux_kontext_image_scale(image=noise(1, 32, 32, 3), run=RUN).shape == (1, 1024, 1024, 3)
