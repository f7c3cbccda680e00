"""Other readings of a model's answers, held to diffusers' schedulers and to the formulas of their papers."""

import math

import pytest
import torch
from diffusers import EDMEulerScheduler, FlowMatchEulerDiscreteScheduler, LCMScheduler
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr

from engine.errors import SamplingError
from engine.sampling import readings
from engine.sampling.betas import BetaSchedule
from engine.sampling.prediction import Prediction
from engine.sampling.schedules import SCHEDULES
from engine.sampling.table import SigmaTable

USUAL = Prediction("eps", SigmaTable.from_betas())
X, ANSWER = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def test_a_latent_consistency_model_is_read_as_diffusers_reads_it() -> None:
    scheduler = LCMScheduler(clip_sample=False)
    scheduler.set_timesteps(4, original_inference_steps=50)
    reading = readings.discrete(USUAL, "lcm")
    assert set(scheduler.timesteps.tolist()) <= {int(reading.timestep(sigma)) for sigma in reading.table.sigmas}
    for timestep in scheduler.timesteps:
        sigma = reading.table.sigma(timestep.float())
        assert int(reading.timestep(sigma)) == int(timestep)
        # Theirs is the latent that keeps its variance; what is kept of it at the end differs by that factor only.
        shown = reading.scaled_input(X, sigma)
        theirs = scheduler.step(ANSWER, timestep, shown, generator=torch.Generator()).denoised
        kept = 0.25 / ((10 * float(timestep)) ** 2 + 0.25)
        ours = reading.denoised(ANSWER, X, sigma)
        torch.testing.assert_close(ours - kept * (X - shown), theirs, rtol=1e-4, atol=1e-4)


def test_a_distilled_table_has_every_twentieth_level_and_lies_straight_between_them() -> None:
    table = readings.discrete(USUAL, "lcm").table
    torch.testing.assert_close(table.sigmas, USUAL.table.sigmas[19::20])
    assert table.timestep(table.sigmas).tolist() == [*range(19, 1000, 20)]
    middle = (table.sigmas[3].log() + table.sigmas[4].log()) / 2
    torch.testing.assert_close(table.sigma(torch.tensor(89.0)), middle.exp())
    assert table.at_percent(0.5) == pytest.approx(float(table.sigma(torch.tensor(0.5 * 999))))
    assert (table.at_percent(0.0), table.at_percent(1.0)) == (math.inf, 0.0)


def test_a_schedule_without_terminal_signal_is_that_of_diffusers() -> None:
    betas = BetaSchedule().betas()
    theirs = torch.cumprod(1.0 - rescale_zero_terminal_snr(betas), dim=0)
    table = readings.discrete(USUAL, "v_prediction", zero_terminal_snr=True).table
    ours = 1.0 / (table.sigmas.double() ** 2 + 1.0)
    torch.testing.assert_close(ours[:-1], theirs[:-1], rtol=1e-4, atol=1e-7)
    assert float(ours[-1]) == pytest.approx(4.8973451890853435e-08, rel=1e-5)


def test_the_schedule_that_a_model_was_trained_with_stays() -> None:
    own = BetaSchedule("scaled_linear", 1e-4, 0.02, zero_terminal_snr=True)
    before = Prediction("v", SigmaTable.from_betas(own))
    once = readings.discrete(before, "eps")
    expected = SigmaTable.from_betas(BetaSchedule("scaled_linear", 1e-4, 0.02))
    torch.testing.assert_close(once.table.sigmas, expected.sigmas)
    # And comes back after other readings.
    for between in (readings.continuous(once, "edm", 80.0, 0.002), readings.flow(once, 3.0)):
        torch.testing.assert_close(readings.discrete(between, "eps").table.sigmas, expected.sigmas)


def test_edm_is_read_as_diffusers_reads_it() -> None:
    scheduler = EDMEulerScheduler(sigma_min=0.002, sigma_max=80.0, sigma_data=0.5)
    for name in ("edm", "edm_playground_v2.5"):
        reading = readings.continuous(USUAL, name, 80.0, 0.002)
        assert (reading.table.sigma_min, reading.table.sigma_max) == pytest.approx((0.002, 80.0))
        for level in (0.01, 0.7, 80.0):
            sigma = torch.tensor(level)
            shown = scheduler.precondition_inputs(X, sigma)
            torch.testing.assert_close(reading.scaled_input(X, sigma), shown)
            torch.testing.assert_close(reading.timestep(sigma), scheduler.precondition_noise(sigma))
            torch.testing.assert_close(
                reading.denoised(ANSWER, X, sigma), scheduler.precondition_outputs(X, ANSWER, sigma)
            )


@pytest.mark.parametrize(("name", "kind"), [("v_prediction", "v"), ("eps", "eps")])
def test_a_continuous_model_may_tell_velocity_or_noise(name: str, kind: str) -> None:
    reading = readings.continuous(USUAL, name, 120.0, 0.002)
    sigma = torch.tensor(2.5)
    usual = Prediction(kind, USUAL.table)
    torch.testing.assert_close(reading.denoised(ANSWER, X, sigma), usual.denoised(ANSWER, X, sigma))
    torch.testing.assert_close(reading.scaled_input(X, sigma), usual.scaled_input(X, sigma))


def test_continuous_levels_are_even_in_their_logarithm() -> None:
    table = readings.continuous(USUAL, "eps", 100.0, 0.01).table
    torch.testing.assert_close(table.sigmas.log().diff(), torch.full((999,), math.log(1e4) / 999), rtol=1e-3, atol=1e-6)
    assert table.at_percent(0.25) == pytest.approx(100.0**0.75 * 0.01**0.25, rel=1e-5)
    assert (table.at_percent(0.0), table.at_percent(1.0)) == (math.inf, 0.0)


def test_a_continuous_velocity_is_asked_for_at_its_angle() -> None:
    reading = readings.continuous_v(USUAL, 500.0, 0.03)
    assert float(reading.timestep(torch.tensor(1.0))) == pytest.approx(0.5)
    torch.testing.assert_close(reading.table.sigma(reading.timestep(reading.table.sigmas)), reading.table.sigmas,
                               rtol=1e-3, atol=1e-5)  # fmt: skip


def test_a_straight_path_told_as_a_diffusion_is_one() -> None:
    reading = readings.continuous(USUAL, "cosmos_rflow", 80.0, 0.002)
    clean, noise, sigma = X, ANSWER, torch.tensor(3.0)
    x = clean + sigma * noise
    # The point on the path at time t = σ / (1 + σ) is (1 − t)·clean + t·noise, and its direction noise − clean.
    torch.testing.assert_close(reading.scaled_input(x, sigma), 0.25 * clean + 0.75 * noise)
    torch.testing.assert_close(reading.denoised(noise - clean, x, sigma), clean, rtol=1e-4, atol=1e-5)
    assert float(reading.timestep(sigma)) == 0.75
    torch.testing.assert_close(reading.table.sigma(torch.tensor([0.5, 0.9999])), torch.tensor([1.0, 80.0]))
    top = torch.tensor(reading.table.sigma_max)
    torch.testing.assert_close(reading.start(clean, noise, top), clean + top * noise)


def test_a_flow_has_the_levels_of_diffusers() -> None:
    for shift in (1.0, 3.0):
        scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
        table = readings.flow(USUAL, shift).table
        torch.testing.assert_close(table.sigmas, scheduler.sigmas.flip(0))
        torch.testing.assert_close(table.timestep(table.sigmas), scheduler.timesteps.flip(0))
    assert float(readings.flow(USUAL, 1.73, multiplier=1.0).timestep(torch.tensor(0.3))) == pytest.approx(0.3)


def test_fluxs_shift_grows_with_the_picture_as_in_diffusers() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    # Their pipeline puts 256 tokens at the base, 4096 at the top, and 4032 (1344×768) on the line between them.
    between = 0.5 + (1.15 - 0.5) * (4032 - 256) / (4096 - 256)
    for width, height, mu in ((256, 256, 0.5), (1024, 1024, 1.15), (1344, 768, between)):
        assert readings.flux_shift(1.15, 0.5, width, height) == pytest.approx(mu)
        table = readings.flux(USUAL, 1.15, 0.5, width, height).table
        times = torch.tensor([0.1, 0.5, 0.9])
        torch.testing.assert_close(table.sigma(times), scheduler.time_shift(mu, 1.0, times))
        assert len(table) == 10000
    assert len(readings.flux(USUAL, 1.15, 0.5, 4096, 4096).table) == 10000  # where neighbours fall together


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_falls_to_zero_on_every_table(name: str) -> None:
    tables = (
        readings.discrete(USUAL, "lcm").table,
        readings.continuous(USUAL, "edm", 120.0, 0.002).table,
        readings.continuous_v(USUAL, 500.0, 0.03).table,
        readings.continuous(USUAL, "cosmos_rflow", 80.0, 0.002).table,
        readings.flow(USUAL, 1.73, 1.0).table,
        readings.flux(USUAL, 1.15, 0.5, 1024, 1024).table,
    )
    for table in tables:
        levels = SCHEDULES[name](6, table)
        assert bool(levels.isfinite().all())
        assert float(levels[-1]) == 0.0
        assert bool((levels.diff() < 0).all())


@pytest.mark.parametrize(("highest", "lowest"), [(0.0, 0.0), (1.0, 0.0), (0.002, 120.0), (5.0, 5.0)])
def test_a_range_that_is_none_is_refused(highest: float, lowest: float) -> None:
    with pytest.raises(SamplingError, match="0 < sigma_min < sigma_max"):
        readings.continuous(USUAL, "eps", highest, lowest)
    with pytest.raises(SamplingError, match="0 < sigma_min < sigma_max"):
        readings.continuous_v(USUAL, highest, lowest)


def test_a_range_too_narrow_for_its_levels_is_refused() -> None:
    with pytest.raises(SamplingError, match="too close"):
        readings.continuous(USUAL, "eps", 1000.0, 999.99)


def test_a_shift_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(SamplingError, match="a shift of 0"):
        readings.flow(USUAL, 0.0)
    with pytest.raises(SamplingError, match="leaves no rising noise levels"):
        readings.flux(USUAL, 100.0, 0.0, 16384, 16384)


@pytest.mark.parametrize("read", [readings.discrete, lambda b, s: readings.continuous(b, s, 120.0, 0.002)])
def test_an_unknown_name_is_refused_with_those_there_are(read) -> None:
    with pytest.raises(SamplingError, match=r"'guess' is unknown; choose one of .*v_prediction"):
        read(USUAL, "guess")
