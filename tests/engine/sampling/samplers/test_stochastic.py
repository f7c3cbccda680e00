"""Samplers with noise end on the right distribution: mean and deviation of 16,384 values of a Gaussian."""

import pytest
import torch

from engine.sampling.samplers.registry import SAMPLERS_BY_NAME, Randomness
from engine.sampling.schedules import sigmas
from engine.sampling.table import SigmaTable
from tests.engine.sampling.gaussian import DEVIATION, MEAN, walked

TABLE = SigmaTable.from_betas()
# On the CPU the samplers named _gpu are the same; test_goldens has them too.
NOISY = [
    name
    for name, each in SAMPLERS_BY_NAME.items()
    if each.randomness is not Randomness.NONE and not name.endswith("_gpu")
]
# First order, so they need many steps for the same exactness; they are cheap.
SLOW = {"euler_ancestral", "euler_ancestral_cfg_pp", "ddpm"}
NOT_EXACT = {
    "lcm": "has a distribution of its own: below",
    "dpmpp_2s_ancestral_cfg_pp": "moves by an answer of another time: test_goldens",
}


def start(sigma: torch.Tensor) -> torch.Tensor:
    return torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(1)) * (1 + sigma**2).sqrt()


@pytest.mark.parametrize("name", sorted(set(NOISY) - set(NOT_EXACT)))
def test_samples_have_the_mean_and_deviation_of_the_data(name: str) -> None:
    levels = sigmas("karras", TABLE, 600 if name in SLOW else 40)
    apart = walked(name, start(levels[0]), levels) - MEAN
    assert float(apart.mean(dim=(0, 2, 3)).abs().max()) < 0.04  # four standard errors
    assert float(apart.std()) == pytest.approx(DEVIATION, rel=0.04)


def test_noise_comes_from_the_seed_alone() -> None:
    levels = sigmas("karras", TABLE, 6)
    x = torch.randn(1, 4, 8, 8)
    for name in NOISY:
        first, again, other = (walked(name, x, levels, seed=seed) for seed in (3, 3, 4))
        assert torch.equal(first, again)
        assert (name in ("dpm_fast", "dpm_adaptive")) == torch.equal(first, other)  # these are quiet by default


def test_lcm_shrinks_and_noises_in_turn() -> None:
    levels = sigmas("karras", TABLE, 5)
    variance = float(1 + levels[0] ** 2)
    for sigma, following in zip(levels.tolist(), levels[1:].tolist(), strict=False):
        kept = DEVIATION**2 / (DEVIATION**2 + sigma**2)
        variance = kept**2 * variance + following**2
    apart = walked("lcm", start(levels[0]), levels) - MEAN
    assert float(apart.var()) == pytest.approx(variance, rel=0.04)


@pytest.mark.parametrize("name", sorted(set(NOISY) - {"ddpm", "lcm", "sa_solver", "sa_solver_pece", "er_sde"}))
def test_less_noise_means_less_difference_between_seeds(name: str) -> None:
    levels = sigmas("karras", TABLE, 8)
    x = start(levels[0])[..., :8, :8]
    none, one = (walked(name, x, levels, seed=seed, eta=0.0) for seed in (1, 2))
    assert torch.equal(none, one)
    assert not torch.equal(walked(name, x, levels, eta=0.5, seed=1), walked(name, x, levels, eta=0.5, seed=2))
