import gzip
import json
from pathlib import Path

import pytest
import torch

from engine.errors import SamplingError
from engine.sampling import denoiser
from engine.sampling.denoiser import Denoiser, Step, ancestral, run
from engine.sampling.noise import fresh
from engine.sampling.samplers import SAMPLERS, sampler
from engine.sampling.samplers.dpmpp_sde import dpmpp_2m_sde
from engine.sampling.samplers.sa_solver import sa_solver
from engine.sampling.table import SigmaTable
from tests.engine.sampling.gaussian import DEVIATION, MEAN, denoised, unguided, walked

TABLE = SigmaTable.from_betas()
LEVELS = torch.tensor([14.6146, 3.0, 0.5, 0.0])


def test_an_unknown_sampler_is_refused_by_naming_those_there_are() -> None:
    with pytest.raises(SamplingError, match=r"'oiler'.*euler_ancestral"):
        sampler("oiler")


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_shows_each_step_and_ends_finite(name: str) -> None:
    steps: list[Step] = []
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * LEVELS[0]
    walk = sampler(name).walk(Denoiser(unguided), x, LEVELS, seed=1, table=TABLE, options={})
    end = run(walk, steps.append)
    assert end.shape == x.shape
    assert bool(torch.isfinite(end).all())
    assert [step.index for step in steps] == list(range(len(steps)))
    if name not in ("dpm_fast", "dpm_adaptive"):
        assert len(steps) == 3
        torch.testing.assert_close(torch.stack([step.sigma for step in steps]), LEVELS[:3])
    torch.testing.assert_close(steps[0].denoised, denoised(x, LEVELS[0]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_single_step_gives_what_the_model_sees(name: str) -> None:
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * 14.6
    end = walked(name, x, torch.tensor([14.6, 0.0]))
    if name in ("dpm_fast", "dpm_adaptive"):  # they stop at the lowest level above 0, which is where they are
        assert torch.equal(end, x)
    else:
        torch.testing.assert_close(end, denoised(x, torch.tensor(14.6)), rtol=1e-3, atol=2e-2)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_run_may_stop_before_the_end_and_leave_its_noise_in(name: str) -> None:
    x = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0)) * (1 + 14.6**2) ** 0.5
    end = walked(name, x, torch.tensor([14.6, 9.0, 6.0, 4.0]))
    assert float((end - MEAN).std()) == pytest.approx((DEVIATION**2 + 4.0**2) ** 0.5, rel=0.3)


def test_what_a_watcher_raises_ends_the_walk() -> None:
    class Enough(Exception):
        pass

    asked: list[float] = []

    def both(x: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(float(sigma))
        return unguided(x, sigma)

    def stop(step: Step) -> None:
        if step.index == 1:
            raise Enough

    walk = sampler("euler").walk(Denoiser(both), torch.zeros(1, 4, 8, 8), LEVELS, seed=1, table=TABLE, options={})
    with pytest.raises(Enough):
        run(walk, stop)
    assert len(asked) == 2


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name.endswith("_cfg_pp") and "2s" not in name])
def test_without_guidance_cfg_pp_is_the_plain_sampler(name: str) -> None:
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * LEVELS[0]
    expected = walked(name.removesuffix("_cfg_pp"), x, LEVELS)
    torch.testing.assert_close(walked(name, x, LEVELS), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_an_ancestral_step_keeps_the_level_of_noise(flow: bool, eta: float) -> None:
    path, sigma, following = denoiser.Path(flow), torch.tensor(0.9), torch.tensor(0.6)
    down, scale, up = ancestral(path, sigma, following, eta)
    # scale · (alpha(down) · clean + down · ε) + up · ε' must be alpha(following) · clean + following · ε''.
    torch.testing.assert_close(scale * path.alpha(down), path.alpha(following))
    torch.testing.assert_close((scale * down) ** 2 + up**2, following**2)


FLOW_EXACT = sorted(
    set(SAMPLERS)
    - {"ddpm", "lcm", "dpm_fast", "dpm_adaptive"}
    - {n for n in SAMPLERS if "cfg_pp" in n or n.endswith("_gpu")}
)


@pytest.mark.parametrize("name", FLOW_EXACT)
def test_samplers_work_on_rectified_flows_too(name: str) -> None:
    table = SigmaTable.from_flow(1.0)
    path = denoiser.Path(True, table.at_percent(1e-4))

    def both(x: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # E[clean | x] for x = (1 − σ)·clean + σ·noise.
        alpha = 1 - sigma
        variance = alpha**2 * DEVIATION**2 + sigma**2
        answer = MEAN + alpha * DEVIATION**2 / variance * (x - alpha * MEAN)
        return answer, answer

    levels = torch.linspace(1, 0, 61)
    x = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    walk = sampler(name).walk(Denoiser(both, path), x, levels, seed=5, table=table, options={})
    apart = run(walk) - MEAN
    assert float(apart.mean(dim=(0, 2, 3)).abs().max()) < 0.06
    assert float(apart.std()) == pytest.approx(DEVIATION, rel=0.1)


def test_an_unknown_solver_type_is_refused() -> None:
    x = torch.zeros(1, 4, 8, 8)
    with pytest.raises(SamplingError, match="midpoint or heun"):
        run(dpmpp_2m_sde(Denoiser(unguided), x, LEVELS, fresh(x, 1), solver_type="euler"))


def test_the_simple_second_order_of_sa_solver_is_close_to_the_exact_one() -> None:
    levels = torch.linspace(2.0, 1.0, 21)
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * 2
    exact, simple = (
        run(sa_solver(Denoiser(unguided), x, levels, fresh(x, 1), orders=(2, 2), simple_order_2=flag))
        for flag in (False, True)
    )
    assert 0 < float((exact - simple).norm() / exact.norm()) < 1e-3


def test_the_samplers_of_the_node_specifications_are_offered_in_that_order() -> None:
    specs = json.loads(gzip.decompress((Path(__file__).parents[3] / "data" / "node_specs.json.gz").read_bytes()))
    known = specs["KSampler"]["inputs"]["required"]["sampler_name"][0]
    assert [name for name in SAMPLERS if name in known] == known
    assert set(SAMPLERS) - set(known) == {"exp_heun_2_x0", "exp_heun_2_x0_sde", "plms"}
