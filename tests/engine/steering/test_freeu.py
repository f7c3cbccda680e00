"""FreeU, held to diffusers' and to what it says it does."""

import pytest
import torch
from diffusers.utils.torch_utils import apply_freeu, fourier_filter

from engine.steering import freeu

WIDTH = 4
H, SKIP = torch.randn(2, 2, 16, 8, 6, generator=torch.Generator().manual_seed(0))


def patch_of(*args, **options):
    (patch,) = freeu.reweighing(WIDTH, *args, **options).patches["patches"]["output_block_patch"]
    return patch


@pytest.mark.parametrize("size", [(8, 8), (8, 6), (7, 5), (2, 2), (16, 4)])
def test_low_frequencies_are_scaled_as_in_diffusers(size: tuple[int, int]) -> None:
    x = SKIP.new_tensor(range(3 * size[0] * size[1])).sin().reshape(1, 3, *size)
    torch.testing.assert_close(freeu.low_frequencies_scaled(x, 0.3), fourier_filter(x, 1, 0.3))


def test_the_skip_is_weakened_as_in_diffusers_and_the_decoder_in_half_of_its_channels() -> None:
    deep, shallow = (1.2, 0.9), (1.4, 0.2)
    patch = patch_of(deep, shallow)
    for channels, place, (strength, factor) in ((16, 0, deep), (8, 1, shallow)):
        h, skip = patch(H[:, :channels], SKIP[:, :channels], {})
        # Diffusers has the second version's weights only; with a strength of 1 all versions are the same there.
        _, theirs = apply_freeu(place, H[:, :channels].clone(), SKIP[:, :channels], s1=deep[1], s2=shallow[1],
                                b1=1.0, b2=1.0)  # fmt: skip
        torch.testing.assert_close(skip, theirs)
        half = channels // 2
        torch.testing.assert_close(h[:, :half], H[:, :half] * strength)
        assert torch.equal(h[:, half:], H[:, half:channels])
        assert factor in (0.9, 0.2)


def test_other_widths_are_left_alone() -> None:
    h, skip = patch_of((2.0, 0.1), (2.0, 0.1))(H[:, :12], SKIP[:, :12], {})
    assert torch.equal(h, H[:, :12])
    assert torch.equal(skip, SKIP[:, :12])


def test_the_second_version_weighs_by_structure_per_picture() -> None:
    h, _ = patch_of((1.5, 1.0), (1.0, 1.0), weigh=freeu.by_structure)(H, SKIP, {})
    for picture, changed in zip(H, h, strict=True):
        mean = picture.mean(dim=0)
        share = (mean - mean.min()) / (mean.max() - mean.min())
        torch.testing.assert_close(changed[:8], picture[:8] * (0.5 * share + 1.0))
        assert torch.equal(changed[8:], picture[8:])


def test_a_picture_without_structure_stays() -> None:
    flat = torch.ones(1, 16, 4, 4)
    h, _ = patch_of((1.5, 1.0), (1.0, 1.0), weigh=freeu.by_structure)(flat, SKIP[:1], {})
    assert torch.equal(h, flat)


def test_ones_change_nothing() -> None:
    for weigh in (freeu.constant, freeu.by_structure):
        h, skip = patch_of((1.0, 1.0), (1.0, 1.0), weigh=weigh)(H, SKIP, {})
        torch.testing.assert_close(h, H)
        torch.testing.assert_close(skip, SKIP)
