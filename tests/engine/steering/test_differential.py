"""Differential diffusion in closed form."""

import pytest
import torch

from engine.sampling import readings
from engine.sampling.hooks import Level
from engine.sampling.prediction import Prediction
from engine.sampling.schedules import SCHEDULES
from engine.sampling.table import SigmaTable
from engine.steering.differential import differing, opened

TABLE = SigmaTable.from_betas()
GREY = torch.tensor([0.0, 0.3, 0.6, 1.0])


def test_a_place_opens_when_the_share_of_time_left_is_below_its_grey() -> None:
    levels = torch.cat([TABLE.sigmas[[999, 600, 500, 250]], torch.zeros(1)])
    for sigma, left in zip(levels, (1.0, 0.6006, 0.5005, 0.2503), strict=False):
        assert opened(Level(sigma, levels, TABLE), GREY).tolist() == [float(grey >= left) for grey in GREY.tolist()]


def test_a_run_over_part_of_the_levels_opens_everything_within_it() -> None:
    levels = TABLE.sigmas[[500, 400, 300]]
    made = [opened(Level(sigma, levels, TABLE), GREY).tolist() for sigma in levels]
    assert made == [[0, 0, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]]


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_below_full_strength_it_is_mixed_with_the_grey(strength: float) -> None:
    levels = torch.cat([TABLE.sigmas[[999, 500]], torch.zeros(1)])
    made = differing(strength).redraw_mask(Level(levels[1], levels, TABLE), GREY)
    torch.testing.assert_close(made, strength * torch.tensor([0.0, 0.0, 1.0, 1.0]) + (1 - strength) * GREY)


@pytest.mark.parametrize("name", ["flow", "edm", "lcm"])
def test_every_kind_of_table_goes_from_white_to_all(name: str) -> None:
    usual = Prediction("eps", TABLE)
    table = {
        "flow": readings.flow(usual, 3.0).table,
        "edm": readings.continuous(usual, "edm", 80.0, 0.01).table,
        "lcm": readings.discrete(usual, "lcm").table,
    }[name]
    levels = SCHEDULES["normal"](5, table)
    counts = [int(opened(Level(sigma, levels, table), torch.linspace(0, 1, 101)).sum()) for sigma in levels[:-1]]
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert counts[-1] > 95


def test_a_run_of_one_level_redraws_white_only() -> None:
    levels = torch.tensor([TABLE.sigma_min, 0.0])
    assert opened(Level(levels[0], levels, TABLE), GREY).tolist() == [0, 0, 0, 1]
