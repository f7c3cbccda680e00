"""Guided predictions of a limited length, held to the formulas in diffusers' pipelines, written out."""

import pytest
import torch
from torch import Tensor

from engine.sampling.hooks import Answers, Hooks
from engine.sampling.table import SigmaTable
from engine.steering.renormalizing import by_cells, truncated

X, POSITIVE, NEGATIVE = torch.randn(3, 2, 4, 8, 6, generator=torch.Generator().manual_seed(0))
CFG = 4.0
FLOW, EPS = SigmaTable.from_flow(), SigmaTable.from_betas()


def guided(hooks: Hooks, sigma: float = 0.4, cfg: float = CFG) -> Tensor:
    answers = Answers(X, torch.tensor(sigma), POSITIVE, NEGATIVE, cfg)
    for before in hooks.before:
        answers = before(answers)
    return hooks.pushed(answers)


def test_no_cell_is_longer_than_the_positives_and_none_turns() -> None:
    plain, ours = guided(Hooks(), cfg=0.5), guided(by_cells(), cfg=0.5)
    assert bool((ours.norm(dim=1) <= POSITIVE.norm(dim=1) * 1.0001).all())
    assert torch.cosine_similarity(ours, plain, dim=1).min() > 0.9999
    # As Qwen-Image's pipeline, where guidance lengthens, and as LongCat's, where it shortens.
    longer = plain.norm(dim=1, keepdim=True) > POSITIVE.norm(dim=1, keepdim=True)
    assert 0.0 < float(longer.float().mean()) < 1.0
    theirs = torch.where(longer, plain * (POSITIVE.norm(dim=1, keepdim=True) / plain.norm(dim=1, keepdim=True)), plain)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(guided(by_cells(0.5), cfg=0.5), 0.5 * theirs)


def test_without_guidance_no_cell_is_changed() -> None:
    assert torch.equal(by_cells().finished(Answers(X, torch.tensor(1.0), POSITIVE, NEGATIVE, 1.0), POSITIVE), POSITIVE)
    nothing = torch.zeros_like(X)
    assert torch.equal(by_cells().finished(Answers(X, torch.tensor(1.0), nothing, nothing, 1.0), nothing), nothing)


@pytest.mark.parametrize("limit", [0.25, 1.0, 1.5, 100.0])
@pytest.mark.parametrize("sigma", [0.1, 0.9])
def test_a_limit_is_that_of_diffusers_z_image(limit: float, sigma: float) -> None:
    # What a network on a straight path told: velocities.
    wanted, unwanted = ((X - clean) / sigma for clean in (POSITIVE, NEGATIVE))
    expected = []
    for pos, neg in zip(wanted, unwanted, strict=True):
        pred = neg + CFG * (pos - neg)
        largest = torch.linalg.vector_norm(pos) * limit
        if torch.linalg.vector_norm(pred) > largest:
            pred = pred * (largest / torch.linalg.vector_norm(pred))
        expected.append(pred)
    ours = guided(truncated(limit, 100.0, FLOW), sigma)
    torch.testing.assert_close((X - ours) / sigma, torch.stack(expected), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("table", "sigma", "is_guided"),
    [(FLOW, 0.8, True), (FLOW, 0.6, False), (EPS, 4.0, True), (EPS, 1.5, False), (EPS, 14.6, True)],
)
def test_guidance_ends_at_a_time(table: SigmaTable, sigma: float, is_guided: bool) -> None:
    # Times: 0.2 and 0.4; 1 / 5 and 1 / 2.5, which have as much noise for their picture.
    ours = guided(truncated(0.0, 0.3, table), sigma)
    assert torch.equal(ours, guided(Hooks()) if is_guided else POSITIVE)
    limited = guided(truncated(0.5, 0.3, table), sigma)
    assert torch.equal(limited, POSITIVE) is not is_guided


def test_neutral_values_put_nothing_into_guidance() -> None:
    assert truncated(0.0, 100.0, EPS) == Hooks()
    assert torch.equal(guided(truncated(0.5, 100.0, EPS), cfg=1.0), guided(Hooks(), cfg=1.0))
