"""On a Gaussian the probability flow is known, so a sampler's error is too, and how fast it falls with finer steps."""

import math

import pytest
import torch
from torch import Tensor

from engine.sampling.samplers import SAMPLERS
from engine.sampling.samplers.dpm_solver import StepControl
from engine.sampling.samplers.er_sde import flow
from engine.sampling.samplers.registry import SAMPLERS_BY_NAME, Randomness
from tests.engine.sampling.gaussian import DEVIATION, MEAN, flowed, walked

HIGH, LOW = 1000.0, 0.1
# eta = 0 makes an SDE sampler a sampler of the flow; some say that in their own words.
QUIET = {
    "dpm_fast": {},
    "dpm_adaptive": {},
    "er_sde": {"scale": flow},
    "sa_solver": {"tau": lambda sigma: 0.0},
    "sa_solver_pece": {"tau": lambda sigma: 0.0},
}
# What the papers claim, but where noted: there the published code, which pictures depend on, does a little less.
ORDERS = {
    "euler": 1, "euler_cfg_pp": 1, "euler_ancestral": 1, "euler_ancestral_cfg_pp": 1, "ddim": 1,
    "gradient_estimation": 1, "gradient_estimation_cfg_pp": 1,
    "heunpp2": 1,  # its weights only become Heun's where the noise is lowest
    "heun": 2, "dpm_2": 2, "dpm_2_ancestral": 2, "exp_heun_2_x0": 2, "exp_heun_2_x0_sde": 2, "seeds_2": 2,
    "dpmpp_2s_ancestral": 2, "dpmpp_sde": 2, "dpmpp_sde_gpu": 2, "dpmpp_2m": 2, "dpmpp_2m_cfg_pp": 2,
    "dpmpp_2m_sde": 2, "dpmpp_2m_sde_gpu": 2, "dpmpp_2m_sde_heun": 2, "dpmpp_2m_sde_heun_gpu": 2,
    "res_multistep": 2, "res_multistep_cfg_pp": 2, "res_multistep_ancestral": 2, "res_multistep_ancestral_cfg_pp": 2,
    "dpmpp_3m_sde": 2, "dpmpp_3m_sde_gpu": 2,  # half the textbook's weight on the curve
    "er_sde": 2,  # its integrals are sums over 200 points
    "uni_pc": 2, "uni_pc_bh2": 2,  # the last step is of first order, without a corrector
    "ipndm": 2, "plms": 2,  # order 4 on even steps only, see below
    "ipndm_v": 2.5,  # two terms differ from Adams and Bashforth's
    "seeds_3": 3, "deis": 3, "dpm_fast": 3,
    "lms": 3.7,  # order 4, begun with lower ones
    "sa_solver": 3.9, "sa_solver_pece": 4,
}  # fmt: skip
ELSEWHERE = {
    "ddpm": "draws from the posterior: test_stochastic",
    "lcm": "jumps: test_stochastic",
    "dpm_adaptive": "chooses its own steps: below",
    "dpmpp_2s_ancestral_cfg_pp": "moves by an answer of another time, even unguided: test_goldens",
}


def test_every_sampler_makes_a_claim() -> None:
    assert set(ORDERS) | set(ELSEWHERE) == set(SAMPLERS)


@pytest.mark.parametrize("name", ORDERS)
def test_halving_the_steps_halves_the_error_as_often_as_the_order_says(name: str) -> None:
    coarse, fine = (64, 128) if name != "dpm_fast" else (35, 71)  # looks 3m + 2 end on a second-order step
    coarse, fine = (16, 32) if name == "er_sde" else (coarse, fine)
    found = math.log2(error(name, coarse) / error(name, fine)) / math.log2(fine / coarse)
    assert found > ORDERS[name] * 0.87


@pytest.mark.parametrize(("name", "order"), [("plms", 3.6), ("ipndm", 3.0), ("lms", 3.0)])
def test_multistep_samplers_reach_their_order_on_even_steps(name: str, order: float) -> None:
    errors = [apart(name, torch.linspace(3.0, 0.5, steps + 1, dtype=torch.float64)) for steps in (16, 32)]
    assert math.log2(errors[0] / errors[1]) > order


def test_an_adaptive_sampler_is_as_exact_as_it_is_told_to_be() -> None:
    ends = torch.tensor([HIGH, LOW], dtype=torch.float64)
    loose, tight = (apart("dpm_adaptive", ends, control=StepControl(rtol=r, atol=r / 10)) for r in (5e-3, 5e-4))
    assert loose < 0.02
    assert tight < loose / 5


def error(name: str, steps: int) -> float:
    levels = torch.linspace(math.log(HIGH), math.log(LOW), steps + 1, dtype=torch.float64).exp()
    quiet = {} if SAMPLERS_BY_NAME[name].randomness is Randomness.NONE else QUIET.get(name, {"eta": 0.0})
    return apart(name, levels, **quiet)


def apart(name: str, levels: Tensor, **options) -> float:
    """How far a sampler ends from where the flow does, relatively. The last step to 0 is left out: it is exact."""
    high, low = float(levels[0]), float(levels[-1])
    noise = torch.randn(1, 4, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = noise * math.hypot(high, DEVIATION) + MEAN.double()
    expected = flowed(x, high, low)
    return float((walked(name, x, levels, **options) - expected).norm() / expected.norm())
