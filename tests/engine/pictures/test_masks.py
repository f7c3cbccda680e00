"""Masks grown, faded and put together, against SciPy and closed forms."""

import numpy
import pytest
import scipy.ndimage
import torch
from torch import Tensor

from engine.errors import Cancelled, ImageError
from engine.pictures import masks


def random_mask(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("amount", [1, 3, -2, 0, 40, -40])
@pytest.mark.parametrize("tapered", [True, False])
def test_masks_grow_as_scipys_grey_dilation_says(amount: int, tapered: bool) -> None:
    given, corner = random_mask(2, 9, 13), 0 if tapered else 1
    footprint = numpy.array([[corner, 1, corner], [1, 1, 1], [corner, 1, corner]])
    work = scipy.ndimage.grey_erosion if amount < 0 else scipy.ndimage.grey_dilation
    for made, before in zip(masks.grown(given, amount, tapered), given, strict=True):
        wanted = before.numpy()
        for _ in range(abs(amount)):
            wanted = work(wanted, footprint=footprint)
        assert numpy.array_equal(made.numpy(), wanted)


def test_growing_by_more_than_the_mask_is_large_ends_and_can_be_stopped() -> None:
    point = torch.zeros(1, 8, 8)
    point[0, 2, 3] = 1
    assert masks.grown(point, 16384, True).min() == 1

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        masks.grown(point, 3, True, stop)


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [("multiply", 0.24), ("add", 1.0), ("subtract", 0.2), ("and", 0.0), ("or", 1.0), ("xor", 1.0)],
)
def test_masks_are_combined_where_they_overlap(operation: str, wanted: float) -> None:
    below, above = torch.full((2, 3, 3), 0.6), torch.full((1, 2, 2), 0.4)
    made = masks.composed(below, above, 2, 1, operation)
    assert made[:, 1:, 2].unique().tolist() == pytest.approx([wanted])
    assert made[:, :, :2].unique().tolist() == pytest.approx([0.6])
    assert below.unique().tolist() == pytest.approx([0.6])  # given, and not changed


def test_a_mask_pasted_outside_changes_nothing_but_values_out_of_range() -> None:
    assert torch.equal(
        masks.composed(torch.full((1, 2, 2), 1.5), torch.ones(1, 2, 2), 9, 9, "xor"), torch.ones(1, 2, 2)
    )


def test_a_batch_of_masks_that_does_not_fit_is_named() -> None:
    with pytest.raises(ImageError, match=r"source: expected 1 mask or as many as destination has \(2\), got 3"):
        masks.composed(torch.ones(2, 4, 4), torch.ones(3, 4, 4), 0, 0, "and")


def test_masks_fade_with_comfyuis_quirk_at_the_far_sides() -> None:
    assert masks.feathered(torch.ones(1, 1, 6), 2, 0, 0, 0)[0, 0].tolist() == [0.5, 1, 1, 1, 1, 1]
    # From the far side index -0 is the first and -1 the last, which 2/2 leaves; 3 pixels darken -1 by 2/3.
    far = masks.feathered(torch.ones(1, 1, 6), 0, 0, 3, 0)[0, 0].tolist()
    assert far == pytest.approx([1 / 3, 1, 1, 1, 1, 2 / 3])
    assert masks.feathered(torch.ones(1, 2, 3), 0, 99, 0, 0)[0, :, 0].tolist() == [0.5, 1]


def test_a_colour_is_found_exactly() -> None:
    image = torch.tensor([[[[1.0, 0.5, 0.0, 0.3], [1.0, 0.51, 0.0, 0.3], [2.0, 128 / 255, -1.0, 0.0]]]])
    assert masks.of_colour(image, 0xFF8000).tolist() == [[[1.0, 0.0, 1.0]]]  # 0.5 · 255 = 127.5, half to even: 128
