"""The doorstep: plain shapes into typed values, and readable words about what does not fit."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from engine.conditioning import Area, ControlHint
from engine.errors import CheckpointError, ImageError, SamplingError
from nodes import convert

Make = Callable[..., list[list[Any]]]


def test_an_encoded_text_comes_back_as_a_condition() -> None:
    tokens, pooled = torch.rand(1, 77, 8), torch.rand(1, 8)
    (condition,) = convert.conditions(convert.encoded(tokens, pooled), "positive")
    assert condition.tokens is tokens
    assert condition.pooled is pooled
    assert (condition.strength, condition.mask_strength) == (1.0, 1.0)
    assert (condition.start_percent, condition.end_percent) == (0.0, 1.0)
    assert condition.area is None
    assert condition.mask is None
    assert condition.control == ()


def test_every_option_of_a_conditioning_is_read(condition: Make) -> None:
    hint = ControlHint(lambda *_: None, torch.zeros(1, 3, 8, 8))
    given = condition(
        strength=0.5,
        area=(8, 12, 1, 2),
        mask=torch.ones(2, 5, 5),
        mask_strength=0.25,
        set_area_to_bounds=True,
        start_percent=0.1,
        end_percent=0.9,
        control=(hint,),
        control_apply_to_uncond=True,
        concat_latent_image=torch.ones(1, 4, 8, 8),
        concat_mask=torch.ones(1, 1, 64, 64),
        something_a_plugin_added=object(),
    )
    (made,) = convert.conditions(given, "positive")
    assert made.area == Area(8, 12, 1, 2)
    assert (made.strength, made.mask_strength) == (0.5, 0.25)
    assert made.mask is not None
    assert made.mask.shape == (2, 5, 5)
    assert made.area_from_mask is True
    assert (made.start_percent, made.end_percent) == (0.1, 0.9)
    assert made.control == (hint,)
    assert made.control_on_negative is True
    assert made.concat_latent is not None
    assert made.concat_mask is not None


def test_an_area_in_shares_stays_in_shares(condition: Make) -> None:
    (made,) = convert.conditions(condition(area=("percentage", 0.5, 1.0, 0.25, 0.0)), "positive")
    assert made.area == Area(0.5, 1.0, 0.25, 0.0, is_share=True)


@pytest.mark.parametrize(
    "wrong",
    [None, "text", 3, [[torch.zeros(77, 8), {}]], [[torch.zeros(1, 77, 8)]], [["tokens", {}]], [3]],
)
def test_what_is_no_conditioning_is_named(wrong: object) -> None:
    with pytest.raises(SamplingError, match=r"^negative: expected"):
        convert.conditions(wrong, "negative")


@pytest.mark.parametrize(
    "option",
    [{"area": (1, 2, 3)}, {"area": ("percentage", 1.0)}, {"area": "everywhere"}, {"control": object()}, {"area": ()}],
)
def test_an_option_that_makes_no_sense_is_named(option: dict[str, Any], condition: Make) -> None:
    with pytest.raises(SamplingError, match=r"^positive: expected"):
        convert.conditions(condition(**option), "positive")


def test_a_mask_in_a_conditioning_must_be_one(condition: Make) -> None:
    with pytest.raises(ImageError, match=r"^positive: mask: expected a mask"):
        convert.conditions(condition(mask=torch.zeros(0, 3, 3)), "positive")


def test_hints_are_added_behind_those_that_are_there_and_shared(condition: Make) -> None:
    first, second = (ControlHint(lambda *_: None, torch.zeros(1, 3, 8, 8)) for _ in range(2))
    given = condition() + condition()
    once = convert.with_control(given, first, on_negative=True)
    twice = convert.with_control(once, second, on_negative=False)
    assert all(options["control"] == (first, second) for _, options in twice)
    assert all(options["control_apply_to_uncond"] is False for _, options in twice)
    assert all(options["control"] == (first,) for _, options in once)
    assert all(options == {} for _, options in given)


def test_an_empty_latent_fits_any_number_of_channels() -> None:
    empty = torch.zeros(2, 4, 3, 3)
    assert torch.equal(convert.fitted_channels(empty, 16, "latent_image"), torch.zeros(2, 16, 3, 3))
    assert torch.equal(convert.fitted_channels(empty, 3, "latent_image"), torch.zeros(2, 3, 3, 3))
    drawn = torch.ones(2, 4, 3, 3)
    assert convert.fitted_channels(drawn, 4, "latent_image") is drawn
    with pytest.raises(SamplingError, match="the latent has 4 channels, this model works on 16"):
        convert.fitted_channels(drawn, 16, "latent_image")


@pytest.mark.parametrize("index", [[0], [0, -1], [0, 2**40], [0, 1, 2]])
def test_a_batch_index_is_one_sensible_place_per_latent(index: list[int]) -> None:
    latent = {"samples": torch.zeros(2, 4, 3, 3), "batch_index": index}
    with pytest.raises(SamplingError, match="batch_index should be 2 numbers"):
        convert.batch_index_of(latent, "latent_image")
    assert convert.batch_index_of({**latent, "batch_index": [5, 0]}, "latent_image") == [5, 0]
    assert convert.batch_index_of({"samples": latent["samples"]}, "latent_image") is None


def test_a_noise_mask_has_four_axes_at_any_resolution() -> None:
    latent = {"samples": torch.zeros(2, 4, 3, 3), "noise_mask": torch.ones(24, 24)}
    mask = convert.noise_mask_of(latent, "latent_image")
    assert mask is not None
    assert mask.shape == (1, 1, 24, 24)
    assert convert.noise_mask_of({"samples": latent["samples"]}, "latent_image") is None
    with pytest.raises(ImageError, match=r"latent_image: noise_mask: it holds values that are no numbers"):
        convert.noise_mask_of({**latent, "noise_mask": torch.full((1, 3, 3), float("nan"))}, "latent_image")


def test_a_mask_of_truths_or_whole_numbers_is_one_of_numbers() -> None:
    for given in (torch.tensor([[True, False]]), torch.tensor([[1, 0]]), torch.tensor([[1, 0]], dtype=torch.uint8)):
        made = convert.need_mask(given, "mask")
        assert made.dtype == torch.float32
        assert made.tolist() == [[[[1.0, 0.0]]]]


def test_pictures_and_latents_of_whole_numbers_are_refused() -> None:
    with pytest.raises(ImageError, match=r"image: expected pictures of numbers from 0\.0 to 1\.0, got uint8"):
        convert.need_image(torch.zeros(1, 2, 2, 3, dtype=torch.uint8), "image")
    with pytest.raises(SamplingError, match="samples: expected a latent of numbers with fractions, got int64"):
        convert.samples_of({"samples": torch.zeros(1, 4, 2, 2, dtype=torch.int64)}, "samples")


def test_parts_a_checkpoint_lacked_are_asked_for_by_name() -> None:
    with pytest.raises(CheckpointError, match=r"clip: .* no text encoder inside"):
        convert.need_clip(None)
    with pytest.raises(CheckpointError, match=r"vae: .* no VAE inside; load one with VAELoader"):
        convert.need_vae(None)
