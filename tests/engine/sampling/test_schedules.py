import pytest
import torch
from scipy import stats

from engine.errors import SamplingError
from engine.sampling.betas import BetaSchedule
from engine.sampling.schedules import SCHEDULERS, Part, sigmas
from engine.sampling.table import SigmaTable

TABLE = SigmaTable.from_betas()


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 333, 1500])
def test_every_schedule_falls_to_zero(name: str, steps: int) -> None:
    made = sigmas(name, TABLE, steps)
    assert made.dtype == torch.float32
    assert float(made[-1]) == 0.0
    # Beyond a thousand steps some schedules visit an entry of the table twice.
    assert bool((made.diff() <= 0).all())
    assert float(made[0]) <= TABLE.sigma_max * (1 + 1e-6)
    if name not in ("beta", "ddim_uniform"):
        assert len(made) == steps + 1


def test_karras_is_equation_5() -> None:
    made = sigmas("karras", TABLE, 3).double()
    low, high = TABLE.sigma_min, TABLE.sigma_max
    middle = ((high ** (1 / 7) + low ** (1 / 7)) / 2) ** 7
    torch.testing.assert_close(made, torch.tensor([high, middle, low, 0.0]).double(), rtol=1e-5, atol=0)


def test_beta_leaves_repeated_entries_out() -> None:
    made = sigmas("beta", TABLE, 1500)
    assert len(made) < 1501
    assert len(set(made.tolist())) == len(made)
    assert float(made[0]) == pytest.approx(float(TABLE.sigmas[round(stats.beta.ppf(1.0, 0.6, 0.6) * 999)]))


def test_ddim_uniform_may_give_more_steps_than_were_asked_for() -> None:
    assert len(sigmas("ddim_uniform", TABLE, 42)) == 45


def test_kl_optimal_of_one_step_is_the_top_and_nothing() -> None:
    assert sigmas("kl_optimal", TABLE, 1).tolist() == [TABLE.sigma_max, 0.0]


def test_less_denoising_walks_the_end_of_a_longer_run() -> None:
    assert torch.equal(sigmas("karras", TABLE, 5, denoise=0.5), sigmas("karras", TABLE, 10)[-6:])
    assert torch.equal(sigmas("karras", TABLE, 5, denoise=0.99995), sigmas("karras", TABLE, 5))
    assert len(sigmas("karras", TABLE, 5, denoise=0.0)) == 0


def test_some_samplers_leave_out_the_last_level_but_one() -> None:
    whole = sigmas("normal", TABLE, 9)
    assert torch.equal(sigmas("normal", TABLE, 8, sampler="dpm_2"), torch.cat([whole[:-2], whole[-1:]]))


def test_a_table_that_begins_at_no_noise_ends_by_itself() -> None:
    silent = SigmaTable.from_sigmas(torch.cat([torch.tensor([1e-9, 1e-7]), torch.linspace(0.1, 10, 98)]))
    assert float(sigmas("normal", silent, 10)[-1]) == 0.0
    assert len(sigmas("normal", silent, 10)) == 11
    assert float(sigmas("ddim_uniform", silent, 10)[-1]) == pytest.approx(1e-7)


def test_zero_terminal_snr_starts_above_four_thousand() -> None:
    table = SigmaTable.from_betas(BetaSchedule(zero_terminal_snr=True))
    for name in SCHEDULERS:
        assert bool(torch.isfinite(sigmas(name, table, 20)).all())
    assert float(sigmas("sgm_uniform", table, 20)[0]) > 4000


def test_a_part_ends_clean_unless_noise_is_kept() -> None:
    whole = sigmas("normal", TABLE, 6)
    assert torch.equal(Part(0, 3, keep_noise=True).of(whole), whole[:4])
    assert torch.equal(Part(0, 3).of(whole), torch.cat([whole[:3], torch.zeros(1)]))
    assert torch.equal(Part(3).of(whole), whole[3:])
    assert torch.equal(Part(2, 4, keep_noise=True).of(whole), whole[2:5])
    assert torch.equal(Part().of(whole), whole)


@pytest.mark.parametrize("part", [Part(6), Part(4, 3), Part(100, 200)])
def test_a_part_behind_its_end_is_nothing(part: Part) -> None:
    assert len(part.of(sigmas("normal", TABLE, 6))) < 2


@pytest.mark.parametrize(("name", "steps"), [("curly", 5), ("normal", 0), ("normal", -3)])
def test_unknown_schedules_and_no_steps_are_refused(name: str, steps: int) -> None:
    with pytest.raises(SamplingError, match=r"unknown|at least 1"):
        sigmas(name, TABLE, steps)
