import math

import pytest
import torch

from engine.errors import SamplingError
from engine.sampling.table import SigmaTable

TABLE = SigmaTable.from_betas()


def test_a_step_of_training_and_its_noise_level_find_each_other() -> None:
    steps = torch.tensor([0.0, 1.0, 500.0, 999.0])
    torch.testing.assert_close(TABLE.sigma(steps), TABLE.sigmas[steps.long()])
    torch.testing.assert_close(TABLE.timestep(TABLE.sigmas[steps.long()]), steps)


def test_between_two_steps_the_logarithm_is_straight() -> None:
    expected = (TABLE.sigmas[10].log() * 0.75 + TABLE.sigmas[11].log() * 0.25).exp()
    torch.testing.assert_close(TABLE.sigma(torch.tensor(10.25)), expected)


def test_a_noise_level_between_two_steps_belongs_to_the_nearer() -> None:
    low, high = TABLE.sigmas[600].log(), TABLE.sigmas[601].log()
    assert float(TABLE.timestep((low * 0.6 + high * 0.4).exp())) == 600
    assert float(TABLE.timestep((low * 0.4 + high * 0.6).exp())) == 601


def test_no_noise_at_all_is_the_first_step() -> None:
    assert float(TABLE.timestep(torch.tensor(0.0))) == 0
    assert float(TABLE.timestep(torch.tensor(100.0))) == 999


def test_percent_counts_from_the_noisy_end() -> None:
    assert TABLE.at_percent(0.0) == math.inf
    assert TABLE.at_percent(1.0) == 0.0
    assert TABLE.at_percent(0.25) == pytest.approx(float(TABLE.sigma(torch.tensor(0.75 * 999))))


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_flow_table_is_the_shifted_line(shift: float) -> None:
    table = SigmaTable.from_flow(shift)
    assert table.flow
    assert table.sigma_max == 1.0
    half = float(table.sigmas[499])
    assert half == pytest.approx(shift * 0.5 / (1 + (shift - 1) * 0.5))
    assert table.at_percent(0.5) == pytest.approx(half)
    assert (table.at_percent(0.0), table.at_percent(1.0)) == (1.0, 0.0)
    assert float(table.timestep(torch.tensor(0.25))) == 250.0


@pytest.mark.parametrize("sigmas", [torch.tensor([1.0]), torch.tensor([2.0, 1.0]), torch.ones(2, 2)])
def test_a_table_that_does_not_rise_is_refused(sigmas: torch.Tensor) -> None:
    with pytest.raises(SamplingError, match="rising"):
        SigmaTable.from_sigmas(sigmas)
