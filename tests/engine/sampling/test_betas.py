import math

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr

from engine.errors import SamplingError
from engine.sampling.betas import KINDS, PRESETS, BetaSchedule


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [("linear", "linear"), ("scaled_linear", "scaled_linear"), ("cosine", "squaredcos_cap_v2"), ("sigmoid", "sigmoid")],
)
@pytest.mark.parametrize("steps", [10, 1000])
def test_schedules_agree_with_diffusers(kind: str, theirs: str, steps: int) -> None:
    other = DDPMScheduler(num_train_timesteps=steps, beta_schedule=theirs, beta_start=1e-4, beta_end=0.02)
    made = BetaSchedule(kind, 1e-4, 0.02, steps).betas()
    torch.testing.assert_close(made.float(), other.betas, rtol=2e-5, atol=1e-8)


def test_quadratic_is_quadratic_in_time() -> None:
    betas = BetaSchedule("quadratic", 0.1, 0.5, 5).betas()
    torch.testing.assert_close(betas, torch.tensor([0.1, 0.125, 0.2, 0.325, 0.5], dtype=torch.float64))


def test_the_ddpm_preset_is_the_papers() -> None:
    schedule = PRESETS["ddpm"]
    betas = schedule.betas()
    assert (len(betas), float(betas[0]), float(betas[-1])) == (1000, 1e-4, 0.02)
    # Ho et al. 2020, section 4: the signal that is left at the end makes L_T about 1e-5 bits.
    assert float(schedule.alpha_bars()[-1]) == pytest.approx(4.0e-5, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_every_schedule_ends_with_less_signal_than_it_began(kind: str) -> None:
    alpha_bars = BetaSchedule(kind).alpha_bars()
    assert bool((alpha_bars.diff() < 0).all())
    assert 0 < float(alpha_bars[-1]) < float(alpha_bars[0]) < 1


def test_zero_terminal_snr_agrees_with_diffusers() -> None:
    plain = BetaSchedule()
    theirs = torch.cumprod(1 - rescale_zero_terminal_snr(plain.betas()), dim=0)
    made = BetaSchedule(zero_terminal_snr=True).alpha_bars()
    torch.testing.assert_close(made[:-1], theirs[:-1], rtol=1e-9, atol=1e-12)
    assert float(made[0]) == pytest.approx(float(plain.alpha_bars()[0]))
    assert math.sqrt((1 - made[-1]) / made[-1]) == pytest.approx(4518.8, abs=0.1)


@pytest.mark.parametrize(
    "schedule", [BetaSchedule("wavy"), BetaSchedule(steps=1), BetaSchedule(start=0.0), BetaSchedule(start=0.5, end=0.1)]
)
def test_what_is_no_schedule_is_refused(schedule: BetaSchedule) -> None:
    with pytest.raises(SamplingError, match="noise schedule"):
        schedule.betas()
