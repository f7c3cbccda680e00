"""Each objective against its closed form."""

import math

import pytest
import torch

from engine.sampling.betas import BetaSchedule
from engine.training import objective


def test_divergence_is_zero_for_the_standard_gaussian_and_half_a_square_for_a_shift() -> None:
    zeros = torch.zeros(2, 4, 3, 3)
    assert objective.divergence(zeros, zeros).item() == 0
    assert objective.divergence(zeros + 2, zeros).item() == pytest.approx(0.5 * 4 * 36)
    widened = 0.5 * (4 - 1 - math.log(4)) * 36
    assert objective.divergence(zeros, zeros + math.log(4)).item() == pytest.approx(widened)


def test_ssim_of_flat_pictures_follows_the_luminance_term() -> None:
    a, b = torch.full((1, 1, 9, 9), 0.2), torch.full((1, 1, 9, 9), 0.6)
    c1 = objective.SSIM_C1
    assert objective.ssim(a, b).item() == pytest.approx((2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1), rel=1e-3)
    noise = torch.rand(1, 3, 16, 16)
    assert objective.ssim(noise, noise).item() == pytest.approx(1.0)


def test_reconstruction_is_zero_only_for_the_same_picture() -> None:
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    assert objective.reconstruction(picture, picture).item() == pytest.approx(0.0, abs=1e-6)
    assert objective.reconstruction(picture + 0.1, picture).item() >= 0.1


def test_contrast_of_perfect_pairs_goes_to_zero_and_of_equal_ones_is_log_n() -> None:
    eye, alone = torch.eye(4), torch.eye(4, dtype=torch.bool)
    assert objective.contrast(eye, eye, torch.tensor(50.0), alone).item() < 1e-6
    same = torch.ones(4, 4) / 2
    assert objective.contrast(same, same, torch.tensor(1.0), alone).item() == pytest.approx(math.log(4))


def test_pairs_that_show_the_same_share_their_probability() -> None:
    texts = torch.eye(2)[[0, 0, 1]]
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    held_against = objective.contrast(texts, texts, torch.tensor(50.0), torch.eye(3, dtype=torch.bool))
    shared = objective.contrast(texts, texts, torch.tensor(50.0), same)
    assert shared.item() == pytest.approx(2 / 3 * math.log(2), rel=1e-3)
    assert shared <= held_against + 1e-6


def test_min_snr_weights_are_one_where_noise_rules_and_small_where_it_does_not() -> None:
    weights = objective.min_snr_weights(BetaSchedule().alpha_bars())
    assert weights[-1] == 1
    assert weights[0] < 0.01
    assert bool((weights.diff() >= 0).all())
