"""Rounding by chance: the mean stays, neighbours only, the same for the same name."""

import pytest
import torch

from engine.devices.deltas import Difference
from engine.devices.patches import Patch, patched
from engine.devices.rounding import rounded


@pytest.mark.parametrize(
    ("dtype", "below", "above"), [(torch.float8_e4m3fn, 1.0, 1.125), (torch.float8_e5m2, 1.0, 1.25)]
)
def test_a_number_between_two_neighbours_becomes_either_as_often_as_it_is_near(dtype, below, above):
    given = torch.full((20000,), below + 0.3 * (above - below))
    found = rounded(given, dtype, "w").float()
    assert set(found.unique().tolist()) == {below, above}
    assert abs(float((found == above).float().mean()) - 0.3) < 0.02
    assert torch.equal(found, rounded(given, dtype, "w").float())
    assert not torch.equal(found, rounded(given, dtype, "v").float())


def test_what_the_format_has_already_stays():
    exact = torch.tensor([-448.0, -1.125, 0.0, 2.0**-9, 0.5, 448.0])
    assert torch.equal(rounded(exact, torch.float8_e4m3fn, "w").float(), exact)


def test_other_formats_are_rounded_to_the_nearest():
    given = torch.randn(100)
    assert torch.equal(rounded(given, torch.float16, "w"), given.half())


def test_small_changes_of_an_8_bit_weight_are_not_lost_on_the_whole():
    weight = torch.ones(200, 200).to(torch.float8_e4m3fn)
    change = Patch(Difference(torch.full((200, 200), 0.01)))
    found = patched("w", weight, (change,), torch.device("cpu"))
    assert found.dtype == torch.float8_e4m3fn
    assert abs(float(found.float().mean()) - 1.01) < 0.002
