"""Latents taken apart, put together and mixed: against closed forms."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from engine.errors import SamplingError
from engine.pictures import latents


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# batches


def test_a_part_of_a_batch_keeps_its_masks_and_the_noise_of_its_places() -> None:
    given = {"samples": drawn(4, 4, 2, 2), "noise_mask": drawn(2, 1, 8, 8), "mine": 1}
    made = latents.part_of_batch(given, 1, 2)
    assert torch.equal(made["samples"], given["samples"][1:3])
    assert torch.equal(made["noise_mask"], given["noise_mask"][[1, 0]])  # tiled to the batch, then cut
    assert (made["batch_index"], made["mine"]) == ([1, 2], 1)
    again = latents.part_of_batch(made, 99, 9)
    assert (len(again["samples"]), again["batch_index"]) == (1, [2])
    single = {**given, "noise_mask": drawn(1, 1, 8, 8)}
    assert latents.part_of_batch(single, 1, 2)["noise_mask"] is single["noise_mask"]


def test_repeats_get_places_of_their_own_where_places_are_said() -> None:
    given = {"samples": drawn(2, 4, 2, 2), "noise_mask": drawn(2, 1, 8, 8), "batch_index": [3, 5]}
    made = latents.repeated(given, 3)
    assert torch.equal(made["samples"], torch.cat([given["samples"]] * 3))
    assert torch.equal(made["noise_mask"], torch.cat([given["noise_mask"]] * 3))
    assert made["batch_index"] == [3, 5, 6, 8, 9, 11]
    assert "batch_index" not in latents.repeated({"samples": given["samples"]}, 2)


def test_batches_are_joined_at_the_size_of_the_first() -> None:
    one, two = {"samples": drawn(1, 4, 4, 4), "batch_index": [7]}, {"samples": drawn(2, 4, 8, 16)}
    made = latents.joined(one, two)
    assert torch.equal(made["samples"][:1], one["samples"])
    assert torch.equal(made["samples"][1:], interpolate(two["samples"][..., 4:12], (4, 4), mode="bilinear"))
    assert made["batch_index"] == [7, 0, 1]


def test_noise_is_shared_or_everyones_own() -> None:
    given = {"samples": drawn(3, 4, 2, 2), "batch_index": [4, 5, 6]}
    assert latents.with_same_noise(given)["batch_index"] == [4, 4, 4]
    assert latents.with_same_noise({"samples": given["samples"]})["batch_index"] == [0, 0, 0]
    assert "batch_index" not in latents.with_own_noise(given)


# mixing


def test_latents_of_other_families_are_named() -> None:
    with pytest.raises(SamplingError, match="one latent has 4 channels, the other 16 channels"):
        latents.fitted(drawn(1, 16, 4, 4), drawn(1, 4, 4, 4))
    with pytest.raises(SamplingError, match="4 channels and 3 frames"):
        latents.fitted(drawn(1, 4, 3, 4, 4), drawn(1, 4, 4, 4))
    with pytest.raises(SamplingError, match="samples1 holds 2 latents and samples2 3"):
        latents.blended(drawn(2, 4, 4, 4), drawn(3, 4, 4, 4), 0.5)


def test_the_second_latent_follows_the_first() -> None:
    made = latents.like_first(drawn(2, 4, 8, 16), drawn(3, 4, 4, 4))
    wanted = interpolate(drawn(2, 4, 8, 16)[..., 4:12], (4, 4), mode="bilinear")
    assert torch.equal(made, wanted[[0, 1, 0]])


def test_a_blend_is_so_much_of_the_first() -> None:
    x, other = drawn(2, 4, 4, 4), drawn(1, 4, 8, 8, seed=1)
    wanted = x * 0.3 + interpolate(other, (4, 4), mode="bicubic") * 0.7
    assert torch.allclose(latents.blended(x, other, 0.3), wanted)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_between_two_latents_directions_turn_and_lengths_mix(count: int) -> None:
    x, other = drawn(count, 4, 3, 3), drawn(count, 4, 3, 3, seed=1)
    x[:, :, 0, 0] = 0
    made = latents.interpolated(x, other, 0.25)
    for b in range(count):
        for row in range(3):
            for column in range(3):
                a, c = x[b, :, row, column], other[b, :, row, column]
                unit = (a / a.norm() if a.any() else a) * 0.25 + c / c.norm() * 0.75
                wanted = unit / unit.norm() * (a.norm() * 0.25 + c.norm() * 0.75)
                assert torch.allclose(made[b, :, row, column], wanted, atol=1e-5)
    assert torch.allclose(latents.interpolated(other, x, 1.0), other, atol=1e-5)
    assert not latents.interpolated(x * 0, other * 0, 0.5).any()


# cutting


def test_a_crop_leaves_eight_cells_where_there_are_as_many() -> None:
    x = drawn(1, 4, 20, 30)
    assert torch.equal(latents.cropped(x, 10, 12, 3, 2), x[..., 2:14, 3:13])
    assert torch.equal(latents.cropped(x, 64, 64, 99, 99), x[..., 12:, 22:])
    assert latents.cropped(drawn(1, 4, 4, 4), 8, 8, 5, 5).shape == (1, 4, 4, 4)


def test_strips_and_frames_are_cut_from_either_end() -> None:
    x = drawn(1, 4, 5, 6, 7)
    assert torch.equal(latents.cut(x, "x", 2, 3), x[..., 2:5])
    assert torch.equal(latents.cut(x, "y", -2, 9), x[..., 4:, :])
    assert torch.equal(latents.cut(x, "t", 99, 1), x[:, :, 4:])
    assert torch.equal(latents.cut(x, "t", -99, 2), x[:, :, :2])
    with pytest.raises(SamplingError, match="the latent has no frames"):
        latents.cut(drawn(1, 4, 4, 4), "t", 0, 1)


def test_latents_are_set_beside_each_other() -> None:
    x, other = drawn(2, 4, 3, 3), drawn(1, 4, 3, 5, seed=1)
    both = other.expand(2, -1, -1, -1)
    assert torch.equal(latents.put_together(x, other, "x"), torch.cat([x, both], 3))
    assert torch.equal(latents.put_together(x, other, "-x"), torch.cat([both, x], 3))
    with pytest.raises(SamplingError, match="they must be alike but along y"):
        latents.put_together(x, other, "-y")


# rebatching


def test_latents_are_regrouped_and_a_new_size_begins_a_batch() -> None:
    small, large = {"samples": drawn(3, 4, 4, 4)}, {"samples": drawn(2, 4, 8, 8), "batch_index": [7, 9]}
    made = latents.rebatched([small, large, small], 2)
    assert [tuple(each["samples"].shape[::3]) for each in made] == [(2, 4), (1, 4), (2, 8), (2, 4), (1, 4)]
    assert [each["batch_index"] for each in made] == [[0, 1], [2], [7, 9], [5, 6], [7]]
    assert all("noise_mask" not in each for each in made)


def test_missing_masks_are_ones_beside_others_and_their_sizes_must_agree() -> None:
    plain, masked = (
        {"samples": drawn(1, 4, 4, 4)},
        {"samples": drawn(1, 4, 4, 4), "noise_mask": torch.zeros(1, 1, 32, 32)},
    )
    (made,) = latents.rebatched([plain, masked], 8)
    assert made["noise_mask"].mean(dim=(1, 2, 3)).tolist() == [1, 0]
    masked["noise_mask"] = torch.zeros(1, 1, 16, 8)
    with pytest.raises(SamplingError, match="noise masks of different sizes \\(8×16, 32×32\\)"):
        latents.rebatched([plain, masked], 8)
