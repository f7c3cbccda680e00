"""Guidance scaled by frequency, held to sums of waves, which are known in closed form."""

import math

import pytest
import torch
from torch import Tensor

from engine.sampling.hooks import Answers, Hooks
from engine.steering.fresca import by_frequency, scaling

X, POSITIVE, NEGATIVE = torch.randn(3, 2, 4, 16, 12, generator=torch.Generator().manual_seed(0))


def wave(down: int, across: int, height: int = 16, width: int = 24) -> Tensor:
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.cos(2 * math.pi * (down * y / height + across * x / width)).expand(1, 2, height, width)


@pytest.mark.parametrize(
    ("down", "across", "is_low"),
    [(0, 0, True), (2, 0, True), (0, 2, True), (2, 2, True), (4, 0, False), (0, 5, False), (7, 1, False)],
)
def test_each_wave_is_scaled_as_its_frequency(down: int, across: int, is_low: bool) -> None:
    made = by_frequency(wave(down, across), 0.5, 3.0, cutoff=3)
    torch.testing.assert_close(made, (0.5 if is_low else 3.0) * wave(down, across), rtol=1e-5, atol=1e-5)


def test_a_cutoff_beyond_the_picture_is_that_of_its_shorter_side() -> None:
    picture = POSITIVE
    assert torch.equal(by_frequency(picture, 0.5, 3.0, 10000), by_frequency(picture, 0.5, 3.0, 6))


def test_only_the_step_from_the_negative_is_scaled() -> None:
    hooks = scaling(1.0, 1.25, 3)
    (before,) = hooks.before
    ours = hooks.pushed(before(Answers(X, torch.tensor(2.0), POSITIVE, NEGATIVE, 5.0)))
    step = torch.fft.fftshift(torch.fft.fftn(POSITIVE - NEGATIVE, dim=(-2, -1)), dim=(-2, -1))
    mask = torch.full((16, 12), 1.25)
    mask[8 - 3 : 8 + 3, 6 - 3 : 6 + 3] = 1.0
    scaled = torch.fft.ifftn(torch.fft.ifftshift(step * mask, dim=(-2, -1)), dim=(-2, -1)).real
    torch.testing.assert_close(ours, NEGATIVE + 5.0 * scaled, rtol=1e-5, atol=1e-5)


def test_neutral_values_put_nothing_into_guidance() -> None:
    assert scaling(1.0, 1.0, 20) == Hooks()
    answers = Answers(X, torch.tensor(2.0), POSITIVE, NEGATIVE, 1.0)
    assert scaling(0.5, 2.0, 20).before[0](answers) is answers


@pytest.mark.parametrize(
    ("height", "width", "cutoff", "warns"),
    [(16, 16, 20, True), (16, 16, 8, True), (16, 16, 7, False), (16, 18, 20, False), (40, 40, 20, True),
     (42, 42, 20, False)],
)  # fmt: skip
def test_a_cutoff_that_makes_every_frequency_low_is_named_once_a_run(
    height: int, width: int, cutoff: int, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    x, positive, negative = torch.randn(3, 1, 4, height, width, generator=torch.Generator().manual_seed(1))
    answers = Answers(x, torch.tensor(2.0), positive, negative, 5.0)
    hooks = scaling(1.0, 1.25, cutoff)
    for run in range(2):
        with hooks.running():
            made = [hooks.before[0](answers).positive for _ in range(3)]
        assert torch.allclose(made[0], positive, atol=1e-5) is warns
        told = f"FreSca: scale_high 1.25 has no effect on a latent of {height}×{width} cells"
        assert caplog.text.count(told) == warns * (run + 1)
    if warns:
        assert f"take a freq_cutoff below {height // 2}" in caplog.text


def test_where_both_scales_are_alike_no_cutoff_matters(caplog: pytest.LogCaptureFixture) -> None:
    hooks = scaling(1.25, 1.25, 20)
    hooks.before[0](Answers(X[..., :12, :], torch.tensor(2.0), POSITIVE[..., :12, :], NEGATIVE[..., :12, :], 5.0))
    assert not caplog.records
