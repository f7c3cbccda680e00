"""Adaptive projected guidance, held to diffusers' formula over several steps."""

import pytest
import torch
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from torch import Tensor

from engine.sampling.hooks import Answers, Hooks
from engine.steering.formulas import rescaled, rescaling
from engine.steering.projected_guidance import projecting

X, *CLEAN = torch.randn(7, 2, 4, 8, 6, generator=torch.Generator().manual_seed(0))
PAIRS = [*zip(CLEAN[::2], CLEAN[1::2], strict=True)]
CFG = 7.5


def guided(hooks: Hooks, positive: Tensor, negative: Tensor, cfg: float = CFG) -> Tensor:
    answers = Answers(X, torch.tensor(2.0), positive, negative, cfg)
    for before in hooks.before:
        answers = before(answers)
    return hooks.pushed(answers)


@pytest.mark.parametrize("eta", [1.0, 0.0, -2.0])
@pytest.mark.parametrize("norm_threshold", [0.0, 5.0, 50.0])
@pytest.mark.parametrize("momentum", [0.0, -0.75, 0.5])
def test_three_steps_are_those_of_diffusers(eta: float, norm_threshold: float, momentum: float) -> None:
    hooks = projecting(eta, norm_threshold, momentum)
    buffer = MomentumBuffer(momentum)
    for positive, negative in PAIRS:
        # Theirs is from the positive side on, as in the paper: a scale of 0 is none.
        theirs = normalized_guidance(
            positive, negative, CFG - 1.0, buffer, eta, norm_threshold, use_original_formulation=True
        )
        torch.testing.assert_close(guided(hooks, positive, negative), theirs, rtol=1e-5, atol=1e-5)


def test_every_run_begins_without_the_steps_of_the_one_before() -> None:
    hooks = projecting(0.5, 5.0, -0.5)
    runs = []
    for _ in range(2):
        for start in hooks.starts:
            start()
        runs.append([guided(hooks, *pair) for pair in PAIRS])
    for first, second in zip(*runs, strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(guided(hooks, *PAIRS[0]), runs[0][0])


def test_a_latent_of_another_size_has_no_steps_before_it() -> None:
    hooks, alone = projecting(0.0, 0.0, -0.5), projecting(0.0, 0.0, 0.0)
    guided(hooks, *PAIRS[0])
    small = [each[:1] for each in PAIRS[1]]
    assert torch.equal(guided(hooks, *small), guided(alone, *small))


def test_neutral_values_put_nothing_into_guidance() -> None:
    assert projecting(1.0, 0.0, 0.0) == Hooks()


def test_at_a_scale_of_one_nothing_is_changed() -> None:
    hooks = projecting(0.0, 1.0, -0.5)
    positive, negative = PAIRS[0]
    answers = Answers(X, torch.tensor(2.0), positive, negative, 1.0)
    assert hooks.before[0](answers) is answers


def test_a_formula_in_the_place_of_the_usual_one_takes_the_changed_step() -> None:
    # On velocities at σ, RescaleCFG pushes and then brings to the spread of the positive; all of it is linear but that.
    positive, negative = PAIRS[0]
    projection, rescale = projecting(0.0, 5.0), rescaling(0.7)
    both = guided(rescale.joined(projection), positive, negative)
    sigma = torch.tensor(2.0)
    root = (sigma**2 + 1.0).sqrt()
    pushed, wanted = ((X / root**2 - clean) * root / sigma for clean in (guided(projection, *PAIRS[0]), positive))
    expected = X / root**2 - rescaled(pushed, wanted, 0.7) * sigma / root
    torch.testing.assert_close(both, expected, rtol=1e-4, atol=1e-4)


def test_no_step_at_all_stays_none() -> None:
    positive = PAIRS[0][0]
    torch.testing.assert_close(guided(projecting(0.0, 5.0), positive, positive), positive)
