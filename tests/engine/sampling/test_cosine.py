"""Stable Cascade's noise levels, held to diffusers' scheduler for its networks."""

import math

import pytest
import torch
from diffusers import DDPMWuerstchenScheduler

from engine.errors import SamplingError
from engine.sampling import readings
from engine.sampling.cosine import CosineTable
from engine.sampling.prediction import Prediction
from engine.sampling.schedules import SCHEDULERS, sigmas
from engine.sampling.table import SigmaTable

USUAL = Prediction("eps", SigmaTable.from_betas())


def variance_left(levels: torch.Tensor) -> torch.Tensor:
    return 1 / (1 + levels.double() ** 2)


def test_levels_are_those_of_diffusers() -> None:
    table = CosineTable.stretched()
    times = torch.arange(1, 10001) / 10000
    theirs = DDPMWuerstchenScheduler()._alpha_cumprod(times, torch.device("cpu"))
    torch.testing.assert_close(variance_left(table.sigmas), theirs.double(), rtol=1e-4, atol=1e-6)


def test_a_noisy_latent_is_what_diffusers_makes_of_it() -> None:
    clean, noise = torch.randn(2, 1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    prediction = readings.cascade(USUAL, 1.0)
    for time in (0.05, 0.5, 0.9):
        theirs = DDPMWuerstchenScheduler().add_noise(clean, noise, torch.tensor([time]))
        sigma = prediction.table.sigma(torch.tensor(time))
        ours = prediction.scaled_input(prediction.noised(clean, noise, sigma), sigma)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shift", [1.0, 2.0, 0.5, 100.0])
def test_a_time_comes_back_from_its_level(shift: float) -> None:
    table = CosineTable.stretched(shift)
    times = torch.linspace(0.02, 0.98, 25)
    torch.testing.assert_close(table.timestep(table.sigma(times)), times, rtol=1e-4, atol=1e-5)


def test_a_shift_moves_the_logarithm_of_signal_to_noise_by_twice_its_own() -> None:
    plain, shifted = CosineTable.stretched(), CosineTable.stretched(2.0)
    ratio = [variance_left(each.sigmas).logit() for each in (plain, shifted)]
    torch.testing.assert_close(ratio[0] - ratio[1], torch.full_like(ratio[0], 2 * math.log(2.0)), rtol=1e-4, atol=1e-4)


def test_shares_of_a_run_are_times() -> None:
    table = CosineTable.stretched(2.0)
    assert (table.at_percent(0.0), table.at_percent(1.0)) == (math.inf, 0.0)
    assert table.at_percent(0.3) == pytest.approx(float(table.sigma(torch.tensor(0.7))))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_schedule_falls_along_them(name: str) -> None:
    levels = sigmas(name, CosineTable.stretched(2.0), 6)
    assert bool((levels.diff() <= 0).all())
    assert bool(levels.isfinite().all())
    assert float(levels[0]) > 10.0


@pytest.mark.parametrize("shift", [0.0, -1.0, math.inf, math.nan])
def test_a_shift_that_leaves_no_levels_is_named(shift: float) -> None:
    with pytest.raises(SamplingError, match=r"a shift of .* leaves no rising noise levels .* drawn with 2"):
        CosineTable.stretched(shift)
