import math

import pytest
import torch

from engine.conditioning import Area, Condition, ControlHint
from engine.errors import SamplingError
from engine.sampling.fitting import (
    Box,
    Fitted,
    Span,
    fit,
    fitted_mask,
)
from engine.sampling.table import SigmaTable

TABLE = SigmaTable.from_betas()
SIZE = (16, 24)
LIKE = torch.zeros(2, 4, *SIZE)


def text(value: float = 0.0, **options) -> Condition:
    return Condition(torch.full((1, 7, 4), value), **options)


def one(condition: Condition) -> Fitted:
    return fit([condition], [], SIZE, TABLE)[0][0]


def test_a_condition_of_the_whole_picture_weighs_its_strength_everywhere() -> None:
    weight = one(text(strength=0.7)).weight(LIKE)
    assert weight.shape[-2:] == SIZE
    torch.testing.assert_close(weight, torch.full_like(weight, 0.7))


@pytest.mark.parametrize(
    ("area", "box"),
    [
        (Area(16, 12, 0, 0), Box(16, 12, 0, 0)),
        (Area(12, 16, 4, 8), Box(12, 16, 4, 8)),
        (Area(100, 100, 4, 8), Box(12, 16, 4, 8)),
        (Area(0.5, 0.25, 0.5, 0.5, is_share=True), Box(8, 6, 8, 12)),
        (Area(0.001, 0.001, 0.0, 0.0, is_share=True), Box(1, 1, 0, 0)),
    ],
)
def test_areas_are_cells_inside_the_picture(area: Area, box: Box) -> None:
    assert one(text(area=area)).box == box


@pytest.mark.parametrize("area", [Area(4, 4, 16, 0), Area(4, 4, 0, 24), Area(0.5, 0.5, 1.0, 0.0, is_share=True)])
def test_an_area_outside_the_picture_is_refused(area: Area) -> None:
    with pytest.raises(SamplingError, match="outside the picture of 192×128"):
        one(text(area=area))


def test_an_area_fades_in_from_the_edges_that_are_not_the_pictures() -> None:
    weight = one(text(area=Area(16, 16, 0, 8), strength=2.0)).weight(LIKE)[0, 0]
    ramp = torch.tensor([0.25, 0.5, 0.75, 1.0])  # min(8, 16 / 4) cells from its left edge only
    torch.testing.assert_close(weight, (2 * torch.cat([ramp, torch.ones(12)])).expand(16, 16))


def test_an_area_in_the_middle_fades_on_all_sides() -> None:
    weight = one(text(area=Area(4, 8, 2, 3))).weight(LIKE)[0, 0]
    rows, columns = torch.ones(4), torch.tensor([0.5, 1, 1, 1, 1, 1, 1, 0.5])
    torch.testing.assert_close(weight, rows[:, None] * columns)


def test_a_mask_weighs_by_place_and_is_not_faded() -> None:
    mask = torch.zeros(1, 16, 24)
    mask[:, :, :6] = 0.5
    weight = one(text(mask=mask, mask_strength=0.8, strength=0.5, area=Area(16, 12, 0, 0))).weight(LIKE)
    assert weight.shape == (2, 1, 16, 12)
    torch.testing.assert_close(weight[0, 0], torch.cat([torch.full((16, 6), 0.2), torch.zeros(16, 6)], dim=1))


@pytest.mark.parametrize(
    ("rows", "columns", "box"),
    [
        (slice(2, 14), slice(3, 15), Box(12, 12, 2, 3)),
        (slice(5, 6), slice(7, 8), Box(8, 8, 5, 7)),
        (slice(0, 0), slice(0, 0), Box(8, 8, 0, 0)),
        (slice(14, 16), slice(0, 24), Box(2, 24, 14, 0)),
    ],
)
def test_an_area_from_a_mask_goes_around_it(rows: slice, columns: slice, box: Box) -> None:
    mask = torch.zeros(2, *SIZE)
    mask[1, rows, columns] = 1.0
    assert one(text(mask=mask, area_from_mask=True)).box == box
    assert one(text(mask=mask)).box is None


def test_percents_are_noise_levels_both_ends_included() -> None:
    span = Span.of(TABLE, 0.25, 0.75)
    high, low = TABLE.at_percent(0.25), TABLE.at_percent(0.75)
    assert [span.holds(sigma) for sigma in (high * 1.01, high, low, low * 0.99)] == [False, True, True, False]
    assert Span.of(TABLE, 0.0, 1.0) == Span(math.inf, 0.0)


def test_an_area_of_one_side_is_asked_about_on_the_other_with_that_sides_text() -> None:
    left, right = Area(16, 12, 0, 0), Area(12, 16, 4, 8)
    positive = [text(1.0), text(2.0, area=left), text(3.0, area=right, strength=0.7, end_percent=0.5)]
    wanted, unwanted = fit(positive, [text(-1.0)], SIZE, TABLE)
    assert [f.box for f in wanted] == [None, Box(16, 12, 0, 0), Box(12, 16, 4, 8)]
    assert [f.box for f in unwanted] == [None, Box(16, 12, 0, 0), Box(12, 16, 4, 8)]
    assert all(float(f.condition.tokens.mean()) == -1.0 for f in unwanted)
    assert unwanted[2].condition.strength == 0.7
    assert unwanted[2].span == wanted[2].span


def test_the_smallest_area_around_lends_its_text() -> None:
    big, middle, small = Area(16, 24, 0, 0), Area(12, 12, 0, 0), Area(6, 6, 1, 1)
    negative = [text(-1.0), text(-2.0, area=big), text(-3.0, area=middle), text(-4.0, area=Area(4, 4, 0, 0))]
    _, unwanted = fit([text(1.0, area=small)], negative, SIZE, TABLE)
    mirrored = next(f for f in unwanted if f.box == Box(6, 6, 1, 1))
    assert float(mirrored.condition.tokens.mean()) == -3.0


def test_an_area_both_sides_have_is_not_doubled() -> None:
    area = Area(8, 8, 0, 0)
    wanted, unwanted = fit([text(1.0, area=area)], [text(-1.0, area=area)], SIZE, TABLE)
    assert (len(wanted), len(unwanted)) == (1, 1)


def test_hints_are_lent_to_a_negative_side_without_its_own() -> None:
    hint, other = (ControlHint(lambda *given: None, torch.zeros(1, 3, 8, 8)) for _ in range(2))
    lending = text(1.0, control=(hint,), control_on_negative=True)
    _, unwanted = fit([lending], [text(-1.0), text(-2.0)], SIZE, TABLE)
    assert [[h for h, _ in f.hints] for f in unwanted] == [[hint], []]
    _, unwanted = fit([lending], [text(-1.0), text(-2.0, control=(other,))], SIZE, TABLE)
    assert [[h for h, _ in f.hints] for f in unwanted] == [[], [other]]
    _, unwanted = fit([text(1.0, control=(hint,))], [text(-1.0)], SIZE, TABLE)
    assert not unwanted[0].hints
    _, unwanted = fit(
        [text(1.0, area=Area(8, 8, 0, 0), control=(hint,), control_on_negative=True)], [text(-1.0)], SIZE, TABLE
    )
    assert not unwanted[0].hints


def test_masks_of_any_size_and_shape_fit_the_latent() -> None:
    for shape in ((32, 48), (3, 32, 48), (3, 1, 32, 48)):
        assert fitted_mask(torch.ones(shape), SIZE).shape == (3 if len(shape) > 2 else 1, 1, *SIZE)
    ramp = torch.linspace(0, 1, 48).expand(1, 32, 48)
    torch.testing.assert_close(fitted_mask(ramp, SIZE)[0, 0, 0], (ramp[0, 0, ::2] + ramp[0, 0, 1::2]) / 2)
    with pytest.raises(SamplingError, match="height and a width"):
        fitted_mask(torch.ones(5), SIZE)
