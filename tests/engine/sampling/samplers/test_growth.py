"""A latent that grows while a consistency model draws it, on a denoiser whose answers are known."""

from functools import partial

import pytest
import torch
from torch import Tensor

from engine.images import resize
from engine.sampling.denoiser import Denoiser, Step, run
from engine.sampling.samplers.ddpm import Growth, lcm

LEVELS = torch.tensor([10.0, 5.0, 2.0, 1.0, 0.0])
X = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0))
BIGGER = partial(resize, method="nearest-exact")


def one(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """A model that sees the same everywhere, whatever it is shown."""
    return torch.ones_like(x), torch.zeros_like(x)


def sizes(growth: Growth, levels: Tensor = LEVELS) -> list[tuple[int, int]]:
    steps: list[Step] = []
    generator = torch.Generator().manual_seed(1)
    end = run(
        lcm(Denoiser(one), X, levels, lambda *_: torch.randn(X.shape, generator=generator), growth=growth), steps.append
    )
    assert torch.equal(end, torch.ones_like(end))
    return [tuple(each.shape[-2:]) for each in (*(step.x for step in steps), end)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (-1, [(6, 8), (8, 11), (10, 13), (12, 16), (12, 16)]),
        (99, [(6, 8), (8, 11), (10, 13), (12, 16), (12, 16)]),
        (2, [(6, 8), (9, 12), (12, 16), (12, 16), (12, 16)]),
        (1, [(6, 8), (12, 16), (12, 16), (12, 16), (12, 16)]),
    ],
)
def test_sides_grow_evenly_and_the_last_look_is_at_the_whole(steps: int, expected: list[tuple[int, int]]) -> None:
    assert sizes(Growth(2.0, BIGGER, steps)) == expected


def test_a_single_look_is_made_larger_afterwards() -> None:
    assert sizes(Growth(2.0, BIGGER), torch.tensor([10.0, 0.0])) == [(6, 8), (12, 16)]


def test_noise_of_a_larger_latent_is_as_independent_as_that_of_a_small_one() -> None:
    steps: list[Step] = []
    x, generator = torch.randn(1, 4, 40, 40), torch.Generator().manual_seed(1)
    walk = lcm(
        Denoiser(one),
        x,
        torch.tensor([10.0, 3.0, 0.0]),
        lambda *_: torch.randn(x.shape, generator=generator),
        growth=Growth(2.5, BIGGER),
    )
    run(walk, steps.append)
    noise = (steps[1].x - 1.0) / 3.0
    assert noise.shape == (1, 4, 100, 100)
    assert float(noise.std()) == pytest.approx(1.0, abs=0.02)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.02)
    # No two places hold the same number.
    assert len(noise.unique()) > 0.999 * noise.numel()
