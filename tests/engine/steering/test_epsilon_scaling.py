"""Less noise taken away than a model says, held to a step of DDIM with its noise divided."""

import pytest
import torch
from diffusers import DDIMScheduler

from engine.sampling.denoiser import Denoiser, run
from engine.sampling.hooks import Answers, Hooks
from engine.sampling.prediction import Prediction
from engine.sampling.samplers.euler import euler
from engine.sampling.table import SigmaTable
from engine.steering.epsilon_scaling import dividing

X, NOISE = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
PREDICTION = Prediction("eps", SigmaTable.from_betas())


@pytest.mark.parametrize("factor", [0.9, 1.005, 1.5])
def test_a_step_is_diffusers_ddim_with_its_noise_divided(factor: float) -> None:
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
    )
    scheduler.set_timesteps(10)
    now, following = (PREDICTION.table.sigma(each.float()) for each in scheduler.timesteps[3:5])
    theirs = scheduler.step(NOISE / factor, scheduler.timesteps[3], X / (1 + now**2).sqrt()).prev_sample
    (after,) = dividing(factor).after

    def both(x: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        clean = PREDICTION.denoised(NOISE, x, sigma)
        guided = after(Answers(x, sigma, clean, clean, 1.0), clean)
        return guided, clean

    ours = run(euler(Denoiser(both), X, torch.stack([now, following])))
    torch.testing.assert_close(ours / (1 + following**2).sqrt(), theirs, rtol=1e-4, atol=1e-4)


def test_a_factor_of_one_puts_nothing_into_guidance() -> None:
    assert dividing(1.0) == Hooks()
