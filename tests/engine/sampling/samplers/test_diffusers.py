"""Samplers that diffusers has too, walked side by side on the same noise prediction."""

import pytest
import torch
from diffusers import DDIMScheduler, PNDMScheduler, UniPCMultistepScheduler
from torch import Tensor

from engine.sampling.table import SigmaTable
from tests.engine.sampling.gaussian import denoised, walked

TABLE = SigmaTable.from_betas()
BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
NOISE = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def eps(scaled: Tensor, timestep: int) -> Tensor:
    """What a perfect network says about a variance-preserving input x / √(1 + σ²)."""
    sigma = TABLE.sigmas[timestep]
    x = scaled * (1 + sigma**2).sqrt()
    return (x - denoised(x, sigma)) / sigma


def theirs(scheduler, steps: int) -> Tensor:
    scheduler.set_timesteps(steps)
    x = NOISE
    for timestep in scheduler.timesteps:
        x = scheduler.step(eps(x, int(timestep)), timestep, x).prev_sample
    return x


def ours(name: str, timesteps: list[int]) -> Tensor:
    levels = torch.cat([TABLE.sigmas[timesteps], torch.zeros(1)])
    return walked(name, NOISE * (1 + levels[0] ** 2).sqrt(), levels)


@pytest.mark.parametrize("steps", [2, 3, 5, 10, 50])
def test_plms_is_that_of_latent_diffusion(steps: int) -> None:
    scheduler = PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=True, **BETAS)
    expected = theirs(scheduler, steps)
    timesteps = list(dict.fromkeys(scheduler.timesteps.tolist()))
    assert len(timesteps) == steps
    torch.testing.assert_close(ours("plms", timesteps), expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("steps", [1, 5, 50])
def test_ddim_is_that_of_diffusers(steps: int) -> None:
    scheduler = DDIMScheduler(clip_sample=False, set_alpha_to_one=True, **BETAS)
    expected = theirs(scheduler, steps)
    torch.testing.assert_close(ours("ddim", scheduler.timesteps.tolist()), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # diffusers with numpy 2
@pytest.mark.parametrize(("name", "variant"), [("uni_pc", "bh1"), ("uni_pc_bh2", "bh2")])
def test_uni_pc_is_that_of_diffusers(name: str, variant: str) -> None:
    # Both end at the lowest level of training: beyond it, each has its own way to 0.
    scheduler = UniPCMultistepScheduler(
        solver_type=variant, solver_order=3, final_sigmas_type="sigma_min", timestep_spacing="linspace", **BETAS
    )
    expected = theirs(scheduler, 12)
    levels = torch.cat([TABLE.sigmas[scheduler.timesteps], TABLE.sigmas[:1]])
    made = walked(name, NOISE * (1 + levels[0] ** 2).sqrt(), levels) / (1 + levels[-1] ** 2).sqrt()
    torch.testing.assert_close(made, expected, rtol=1e-3, atol=1e-3)
