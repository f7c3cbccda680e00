"""Negatives brought in line with the positive side, held to diffusers' formulas on noise predictions."""

import pytest
import torch
from diffusers.guiders.classifier_free_zero_star_guidance import cfg_zero_star_scale
from diffusers.guiders.tangential_classifier_free_guidance import normalized_guidance

from engine.sampling.hooks import Answers, Hooks
from engine.steering.aligned_negative import optimally_scaled, tangential

X, WANTED, OTHER = torch.randn(3, 2, 4, 8, 6, generator=torch.Generator().manual_seed(0))
CFG = 7.5
# Noise as unlike as two random ones, and as like as two texts' really is.
UNWANTED = {"unlike": OTHER, "alike": WANTED + 0.02 * OTHER, "weaker": 0.4 * WANTED + 0.02 * OTHER}


def pushed_noise(hooks: Hooks, unwanted: torch.Tensor, level: float) -> torch.Tensor:
    """The guided noise, of a network that told both."""
    sigma = torch.tensor(level)
    (before,) = hooks.before
    answers = before(Answers(X, sigma, X - sigma * WANTED, X - sigma * unwanted, CFG))
    return (X - hooks.pushed(answers)) / sigma


@pytest.mark.parametrize("level", [0.05, 1.0, 14.6])
@pytest.mark.parametrize("name", UNWANTED)
def test_tangential_damping_is_that_of_diffusers(name: str, level: float) -> None:
    ours = pushed_noise(tangential(), UNWANTED[name], level)
    theirs = normalized_guidance(WANTED, UNWANTED[name], CFG)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3 if level < 1 else 1e-4)


@pytest.mark.parametrize("level", [0.05, 1.0, 14.6])
@pytest.mark.parametrize("name", UNWANTED)
def test_the_best_scale_is_that_of_diffusers(name: str, level: float) -> None:
    ours = pushed_noise(optimally_scaled(), UNWANTED[name], level)
    scale = cfg_zero_star_scale(WANTED.flatten(1), UNWANTED[name].flatten(1)).view(-1, 1, 1, 1)
    theirs = scale * UNWANTED[name] + CFG * (WANTED - scale * UNWANTED[name])
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3 if level < 1 else 1e-4)


@pytest.mark.parametrize("hooks", [tangential(), optimally_scaled()], ids=["tangential", "scaled"])
def test_at_a_scale_of_one_nothing_is_changed(hooks: Hooks) -> None:
    answers = Answers(X, torch.tensor(1.0), WANTED, OTHER, 1.0)
    assert hooks.before[0](answers) is answers


@pytest.mark.parametrize("hooks", [tangential(), optimally_scaled()], ids=["tangential", "scaled"])
def test_sides_that_agree_stay_as_they_are(hooks: Hooks) -> None:
    torch.testing.assert_close(pushed_noise(hooks, WANTED, 1.0), WANTED, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hooks", [tangential(), optimally_scaled()], ids=["tangential", "scaled"])
def test_a_latent_without_noise_is_no_division_by_zero(hooks: Hooks) -> None:
    answers = Answers(X, torch.tensor(0.0), X, X, CFG)
    assert torch.equal(hooks.before[0](answers).negative, X)
