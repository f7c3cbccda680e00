"""Lists of noise levels against their formulas, worked out without torch."""

import math

import pytest
import torch
from diffusers.schedulers import AysSchedules
from torch import Tensor

from engine.errors import SamplingError
from engine.sampling import levels, schedules
from engine.sampling.levels import Ends
from engine.sampling.table import SigmaTable

ENDS = Ends(0.03, 14.0)
FALLING = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.0])


def close(made: Tensor, wanted: list[float]) -> None:
    torch.testing.assert_close(made, torch.tensor(wanted, dtype=torch.float32), rtol=1e-5, atol=1e-6)


def test_karras_and_exponential_need_no_more_than_two_ends() -> None:
    low, high = 0.03 ** (1 / 5), 14.0 ** (1 / 5)
    close(schedules.karras(4, ENDS, 5.0), [*((high + i / 3 * (low - high)) ** 5 for i in range(4)), 0.0])
    close(schedules.exponential(3, ENDS), [14.0, math.sqrt(14.0 * 0.03), 0.03, 0.0])


def test_polyexponential_follows_a_power_in_the_logarithm() -> None:
    low, high = math.log(0.03), math.log(14.0)
    wanted = [math.exp((1 - i / 4) ** 2 * (high - low) + low) for i in range(5)]
    close(levels.polyexponential(5, ENDS, 2.0), [*wanted, 0.0])
    close(levels.polyexponential(4, ENDS, 1.0), schedules.exponential(4, ENDS).tolist())


def test_variance_preserving_levels_are_those_of_equal_times() -> None:
    times = [1 + i / 3 * (0.01 - 1) for i in range(4)]
    wanted = [math.sqrt(math.expm1(19.9 * t * t / 2 + 0.1 * t)) for t in times]
    close(levels.variance_preserving(4, 19.9, 0.1, 0.01), [*wanted, 0.0])


def test_laplace_levels_crowd_around_one_and_do_not_end_in_zero() -> None:
    wanted = []
    for i in range(6):
        x = 0.5 - i / 5
        sign = (x > 0) - (x < 0)
        wanted.append(min(14.0, max(0.03, math.exp(0.3 - 0.7 * sign * math.log(1 - 2 * abs(x) + 1e-5)))))
    close(levels.laplace(6, ENDS, 0.3, 0.7), wanted)


@pytest.mark.parametrize(
    ("steps", "denoise", "times"),
    [
        (1, 1.0, [999]),
        (10, 1.0, range(999, 0, -100)),
        (4, 0.5, [499, 399, 299, 199]),
        (9, 0.2, [199, 99]),
        (1, 0.0, []),
    ],
)
def test_turbo_takes_every_hundredth_step_of_training(steps: int, denoise: float, times: list[int]) -> None:
    table = SigmaTable.from_betas()
    close(levels.turbo(steps, denoise, table), [*(float(table.sigmas[time]) for time in times), 0.0])


@pytest.mark.parametrize(("model_type", "name"), [("SD1", ""), ("SDXL", "XL"), ("SVD", "Video")])
def test_ten_aligned_steps_are_the_authors(model_type: str, name: str) -> None:
    close(levels.aligned(model_type, 10), AysSchedules[f"StableDiffusion{name}Sigmas"])


def test_other_numbers_of_aligned_steps_lie_between_them_in_the_logarithm() -> None:
    twenty = levels.aligned("SD1", 20)
    assert len(twenty) == 21
    close(twenty[1:4:2], [math.sqrt(14.615 * 6.475), math.sqrt(6.475 * 3.861)])
    assert torch.equal(levels.aligned("SD1", 20, 0.5), twenty[-11:])
    assert len(levels.aligned("SD1", 20, 0.0)) == 0


def test_a_list_is_cut_at_a_step_or_at_a_share() -> None:
    for step in (0, 2, 4, 9):
        high, low = levels.split(FALLING, step)
        assert high.tolist() == FALLING.tolist()[: step + 1]
        assert low.tolist() == FALLING.tolist()[step:]
    assert [part.tolist() for part in levels.split_at_share(FALLING, 0.5)] == [[8, 4, 2], [2, 1, 0]]
    assert [part.tolist() for part in levels.split_at_share(FALLING, 1.0)] == [[8], FALLING.tolist()]
    assert [part.tolist() for part in levels.split_at_share(FALLING, 0.0)] == [[], [0]]
    assert [len(part) for part in levels.split_at_share(FALLING[:0], 0.5)] == [0, 0]


def test_a_list_turned_around_begins_a_little_above_nothing() -> None:
    close(levels.turned(FALLING), [0.0001, 1, 2, 4, 8])
    assert levels.turned(FALLING[:2]).tolist() == [4, 8]
    assert len(levels.turned(FALLING[:0])) == 0
    assert FALLING[-1] == 0


def test_the_first_level_is_replaced_in_a_copy() -> None:
    assert levels.with_first(FALLING, 9.5).tolist() == [9.5, 4, 2, 1, 0]
    assert FALLING[0] == 8


def test_steps_between_two_levels_are_cut_into_pieces() -> None:
    close(levels.extended(FALLING, 2, -1.0, 2.0), [8, 6, 4, 3, 2, 1.5, 1, 0])
    close(levels.extended(FALLING, 2, 4.0, 4.0), [8, 4, 3, 2, 1, 0])
    half = math.sqrt(0.5)
    close(levels.extended(FALLING, 2, -1.0, 8.0, "cosine"), [8, 8 - 4 * half, 4, 2, 1, 0])
    close(levels.extended(FALLING, 2, -1.0, 8.0, "sine"), [8, 8 - 4 * (1 - half), 4, 2, 1, 0])
    close(levels.extended(FALLING, 4, -1.0, 8.0), [8, 7, 6, 5, 4, 2, 1, 0])
    assert torch.equal(levels.extended(FALLING, 1, -1.0, 0.0), FALLING)
    assert len(levels.extended(FALLING[:0], 3, -1.0, 0.0)) == 0


def test_levels_may_be_written_by_hand() -> None:
    close(levels.written("14.6, 6.5;2.7\n.5 1e-2 0"), [14.6, 6.5, 2.7, 0.5, 0.01, 0.0])
    with pytest.raises(SamplingError, match=r"expected noise levels such as .* got .none."):
        levels.written("none")


@pytest.mark.parametrize(("low", "high"), [(0.0, 14.0), (2.0, 1.0), (math.nan, 1.0), (1.0, math.inf), (-1.0, 1.0)])
def test_ends_that_no_levels_lie_between_are_refused(low: float, high: float) -> None:
    with pytest.raises(SamplingError, match="sigma_max down to sigma_min, both above 0"):
        Ends(low, high)


def test_options_without_an_answer_are_refused() -> None:
    table = SigmaTable.from_betas()
    with pytest.raises(SamplingError, match="rho, which must be above 0; got 0"):
        schedules.karras(3, ENDS, 0.0)
    with pytest.raises(SamplingError, match=r"alpha and beta above 0; got 0 and 0\.6"):
        schedules.beta(3, table, 0.0, 0.6)
    with pytest.raises(SamplingError, match="more noise than float32 can tell"):
        levels.variance_preserving(3, 5000.0, 0.1)
    with pytest.raises(SamplingError, match="'SD9' is unknown; choose one of SD1, SDXL, SVD"):
        levels.aligned("SD9", 10)
    with pytest.raises(SamplingError, match="no first noise level to set"):
        levels.with_first(FALLING[:0], 1.0)
