"""Guidance by three sides against the formulas of their papers, over answers that are numbers."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.conditioning import Condition
from engine.sampling.fitting import fit_sides
from engine.sampling.guidance import Guide, Hooks
from engine.sampling.guiders import DualCfg, PerpNeg, across, away_across
from engine.sampling.hooks import Rule
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable

X = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
PREDICTION = Prediction("x0", SigmaTable.from_betas())
WAVES = torch.randn(3, 2, 4, 4, 4, generator=torch.Generator().manual_seed(1))
P, N, M = 0, 1, 2


class Network:
    """Answers the wave whose number its text says, and counts how many rows it was asked about."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, x: Tensor, timesteps: Tensor, context: Tensor, **others) -> Tensor:
        self.rows += len(x)
        return torch.stack([WAVES[int(text[0, 0])][place % 2] for place, text in enumerate(context)])


def text(wave: int) -> Condition:
    return Condition(torch.full((1, 77, 5), float(wave)))


def guided(rule: Rule | None, sides: tuple[int, ...] = (P, N, M), **options) -> tuple[Tensor, Tensor, int]:
    network = Network()
    fitted = fit_sides([[text(side)] for side in sides], (4, 4), PREDICTION.table)
    guide = Guide(network, PREDICTION, fitted, options.pop("cfg", 1.0), rule=rule, **options)
    return (*guide.both(X, torch.tensor(2.0)), network.rows // 2)


@pytest.mark.parametrize(("c1", "c2"), [(7.0, 2.5), (1.0, 2.0), (3.0, 1.0), (1.0, 1.0), (0.0, 4.0)])
def test_dual_guidance_is_the_sum_of_two_pushes(c1: float, c2: float) -> None:
    made, other, _ = guided(DualCfg(c1, c2))
    torch.testing.assert_close(made, WAVES[N] + c2 * (WAVES[M] - WAVES[N]) + c1 * (WAVES[P] - WAVES[M]))
    if c2 != 1.0:
        assert torch.equal(other, WAVES[N])


def test_what_would_change_the_answers_before_a_guiders_own_formula_is_named_and_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hooks = Hooks(before=(lambda answers: replace(answers, positive=answers.negative),))
    made, _, _ = guided(DualCfg(3.0, 2.0), hooks=hooks)
    assert torch.equal(made, guided(DualCfg(3.0, 2.0))[0])
    assert caplog.text.count("has no effect with this guider") == 1


@pytest.mark.parametrize(("c1", "c2"), [(7.0, 2.5), (1.0, 2.0), (3.0, 1.0), (1.0, 1.0)])
def test_nested_dual_guidance_pushes_what_the_wanted_sides_make(c1: float, c2: float) -> None:
    made, other, _ = guided(DualCfg(c1, c2, is_nested=True))
    inner = WAVES[M] + c1 * (WAVES[P] - WAVES[M])
    torch.testing.assert_close(made, WAVES[N] + c2 * (inner - WAVES[N]))
    assert torch.equal(other, WAVES[M])


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        (DualCfg(2.0, 3.0), 3),
        (DualCfg(1.0, 3.0), 3),
        (DualCfg(2.0, 1.0), 2),
        (DualCfg(1.0, 1.0), 1),
        (DualCfg(1.0, 1.0, is_nested=True), 2),
        (PerpNeg(1.0), 3),
    ],
)
def test_sides_that_cancel_out_are_not_asked_about_unless_somebody_wants_them(rule: Rule, asked: int) -> None:
    assert guided(rule)[2] == asked
    assert guided(rule, hooks=Hooks(always_both=True))[2] == 3


@pytest.mark.parametrize("is_nested", [False, True])
def test_hooks_see_at_scale_1_what_they_see_beside_it(is_nested: bool) -> None:
    hooks = Hooks(after=(lambda each, made: made + 3.0 * (each.positive - 0.5 * each.ask(P)),))
    made, _, asked = guided(DualCfg(1.0, 1.0, is_nested), hooks=hooks)
    beside, _, _ = guided(DualCfg(1.0 + 1e-6, 1.0 + 1e-6, is_nested), hooks=hooks)
    torch.testing.assert_close(made, beside, rtol=1e-4, atol=1e-4)
    seen = P if is_nested else M
    torch.testing.assert_close(made, WAVES[P] + 1.5 * WAVES[seen])
    assert asked == 3  # two sides, and what the hook asks


def test_hooks_change_the_inner_push_of_dual_guidance() -> None:
    hooks = Hooks(
        combine=lambda each: each.positive - 2 * each.negative,
        after=(lambda each, made: made + each.cfg * each.ask(0),),
    )
    made, _, _ = guided(DualCfg(3.0, 2.0), hooks=hooks)
    torch.testing.assert_close(made, WAVES[M] - 2 * WAVES[N] + 2 * WAVES[M] + 3 * (WAVES[P] - WAVES[M]))
    made, _, _ = guided(DualCfg(3.0, 2.0, is_nested=True), hooks=hooks)
    inner = WAVES[P] - 2 * WAVES[M] + 3 * WAVES[P]
    torch.testing.assert_close(made, WAVES[N] + 2 * (inner - WAVES[N]))


def perpendicular(cfg: float, scale: float) -> Tensor:
    """The formula in float64, with the empty side in the third place."""
    empty, towards, away = (
        WAVES[M].double(),
        (WAVES[P] - WAVES[M]).double().flatten(),
        (WAVES[N] - WAVES[M]).double().flatten(),
    )
    left = away - torch.dot(away, towards) / torch.dot(towards, towards) * towards
    assert abs(float(torch.dot(left, towards))) < 1e-9
    return (empty + cfg * (towards - scale * left).view_as(empty)).float()


@pytest.mark.parametrize(("cfg", "scale"), [(7.5, 1.0), (4.0, 0.3), (1.0, 2.0)])
def test_perpendicular_guidance_takes_away_only_what_is_at_right_angles(cfg: float, scale: float) -> None:
    made, other, _ = guided(PerpNeg(cfg, scale))
    torch.testing.assert_close(made, perpendicular(cfg, scale), rtol=1e-5, atol=1e-5)
    assert torch.equal(other, WAVES[N])


@pytest.mark.parametrize("combine", [away_across])
def test_a_model_may_have_it_as_a_hook_that_asks_for_itself(combine: Callable) -> None:
    hooks = Hooks(combine=combine((text(M),), 0.3))
    made, _, asked = guided(None, sides=(P, N), cfg=4.0, hooks=hooks)
    torch.testing.assert_close(made, perpendicular(4.0, 0.3), rtol=1e-5, atol=1e-5)
    assert asked == 3


def test_what_the_positive_does_not_ask_for_is_no_number_to_divide_by() -> None:
    empty, negative = WAVES[0], WAVES[1]
    torch.testing.assert_close(across(empty, negative, empty, 5.0, 1.0), empty - 5 * (negative - empty))
