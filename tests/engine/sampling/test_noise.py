import pytest
import torch

from engine.errors import SamplingError
from engine.sampling import noise

LATENT = torch.zeros(2, 4, 8, 8)


def test_the_same_seed_is_the_same_noise_and_nobody_elses_is_disturbed() -> None:
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    first, second = noise.initial(LATENT, 2**64 - 1), noise.initial(LATENT, 2**64 - 1)
    noise.fresh(LATENT, 1)(torch.tensor(1.0), torch.tensor(0.5))
    assert torch.equal(first, second)
    assert not torch.equal(first, noise.initial(LATENT, 0))
    assert torch.equal(torch.randn(3), expected)


def test_one_picture_of_a_batch_can_be_drawn_again_alone() -> None:
    whole = noise.initial(torch.zeros(4, 4, 8, 8), 7, [0, 1, 2, 3])
    assert torch.equal(noise.initial(LATENT[:1], 7, [2]), whole[2:3])
    assert torch.equal(noise.initial(LATENT, 7, [3, 3]), whole[[3, 3]])


@pytest.mark.parametrize("index", [[0], [0, -1], []])
def test_a_batch_index_must_name_every_latent(index: list[int]) -> None:
    with pytest.raises(SamplingError, match="batch indices"):
        noise.initial(LATENT, 7, index)


def test_noise_of_steps_is_not_the_initial_noise() -> None:
    draw = noise.fresh(LATENT, 2**64 - 1)
    first = draw(torch.tensor(2.0), torch.tensor(1.0))
    assert torch.equal(first, noise.initial(LATENT, 0))  # one more than the largest seed is 0
    assert not torch.equal(first, draw(torch.tensor(1.0), torch.tensor(0.5)))


def test_a_brownian_path_is_the_same_however_finely_it_is_walked() -> None:
    levels = torch.tensor([4.0, 2.0, 1.0, 0.0])
    coarse, fine = (noise.brownian(LATENT, levels, 3) for _ in range(2))
    whole = coarse(levels[0], levels[2]) * 3**0.5
    parts = fine(levels[0], levels[1]) * 2**0.5 + fine(levels[1], levels[2])
    # The parts are rounded to float32 and multiplied by rounded roots before they are added: a few units in the last
    # place of values up to 6 (4.8e-7 each). Measured over ten seeds: at most 8.4e-7.
    torch.testing.assert_close(whole, parts, rtol=0, atol=2e-6)


def test_a_brownian_step_has_variance_one() -> None:
    like = torch.zeros(1, 4, 64, 64)
    levels = torch.tensor([14.6, 3.0, 0.03])
    drawn = noise.brownian(like, levels, 11)(levels[0], levels[1])
    assert float(drawn.std()) == pytest.approx(1.0, abs=0.02)
    assert float(drawn.mean()) == pytest.approx(0.0, abs=0.02)


def test_a_single_level_needs_no_path() -> None:
    assert callable(noise.brownian(LATENT, torch.tensor([14.6, 0.0]), 3))
