"""comfy.k_diffusion.sampling with models that are plain functions: the goldens of ComfyUI 0.3.64 and closed forms."""

import inspect
import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from compat.host import Host
from engine.sampling import noise
from engine.sampling.prediction import Prediction
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import sigmas
from engine.sampling.table import SigmaTable
from tests.engine.sampling.gaussian import DEVIATION, MEAN, denoised, flowed

pytestmark = pytest.mark.usefixtures("host")

GOLDENS = load_file(Path(__file__).parents[2] / "goldens" / "samplers.safetensors")
TABLE = SigmaTable.from_betas()
SEED = 1234567
LEVELS = sigmas("karras", TABLE, 8)
START = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * float(LEVELS[0])
OWN_ENDS = ("dpm_fast", "dpm_adaptive")  # they are told the ends of a run, not its levels


@pytest.fixture
def kd(host: Host) -> Any:
    import comfy.k_diffusion.sampling as module

    return module


def gaussian(x: Tensor, sigma: Tensor, **options: Any) -> Tensor:
    return denoised(x, sigma.view(-1, 1, 1, 1))


class Guided:
    """A guided model as ComfyUI's is: hooks among its options see both answers, and its levels are known inside.

    At scale 1 nobody asks for the unconditional answer: it is zeros, as when the goldens were made.
    """

    def __init__(self, scale: float) -> None:
        import comfy.model_sampling

        class Sampling(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
            pass

        self.scale = scale
        self.inner_model = SimpleNamespace(inner_model=SimpleNamespace(model_sampling=Sampling()))

    def __call__(self, x: Tensor, sigma: Tensor, *, model_options: Mapping[str, Any], **others: Any) -> Tensor:
        sigma = sigma.view(-1, 1, 1, 1)
        wanted = denoised(x, sigma)
        unwanted = torch.zeros_like(x) if self.scale == 1.0 else denoised(x, sigma, -MEAN)
        result = unwanted + self.scale * (wanted - unwanted)
        for hook in model_options.get("sampler_post_cfg_function", ()):
            result = hook({"denoised": result, "uncond_denoised": unwanted})
        return result


def function(name: str) -> Any:
    """The sampler function behind a name of the lists, told levels."""
    import comfy.samplers

    return comfy.samplers.sampler_object(name).sampler_function


@pytest.mark.parametrize("key", sorted(key for key in GOLDENS if key.startswith("sample")))
def test_samplers_reach_the_latents_of_the_goldens(key: str) -> None:
    kind, name, schedule, steps = key.split(".")
    levels = sigmas(schedule, TABLE, int(steps), sampler=name)
    empty = torch.zeros(1, 4, 8, 8)
    x = Prediction("eps", TABLE).start(empty, noise.initial(empty, SEED), levels[0])
    model = Guided(1.5 if kind == "sample_cfgpp" else 1.0)
    made = function(name)(model, x, levels, extra_args={"seed": SEED, "model_options": {}})
    error = (made - GOLDENS[key]).abs().max() / GOLDENS[key].abs().max()
    assert float(error) < (1e-4 if name == "deis" else 1e-5)


def test_every_sampler_of_the_list_has_its_function(kd: Any) -> None:
    for name in SAMPLERS:
        # ddim is euler, and UniPC lives elsewhere, as in ComfyUI.
        assert name in ("ddim", "uni_pc", "uni_pc_bh2") or callable(getattr(kd, f"sample_{name}"))


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in OWN_ENDS])
def test_a_plain_function_is_a_model_and_callbacks_hear_of_every_step(name: str) -> None:
    heard: list[Mapping[str, Any]] = []
    made = function(name)(gaussian, START, LEVELS, callback=heard.append, extra_args={"seed": 3})
    # All of them end near the mean of the Gaussian, whose spread is known.
    assert float((made - MEAN).square().mean().sqrt()) < 2 * DEVIATION
    assert [each["i"] for each in heard] == list(range(len(LEVELS) - 1))
    assert all(each.keys() >= {"x", "i", "sigma", "sigma_hat", "denoised"} for each in heard)
    for each in heard:
        torch.testing.assert_close(each["denoised"], denoised(each["x"], each["sigma"]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OWN_ENDS)
def test_two_samplers_are_told_the_ends_of_a_run(kd: Any, name: str) -> None:
    count = (24,) if name == "dpm_fast" else ()
    made = getattr(kd, f"sample_{name}")(gaussian, START, 0.05, float(LEVELS[0]), *count)
    torch.testing.assert_close(made, flowed(START, float(LEVELS[0]), 0.05), rtol=0.1, atol=0.05)
    with pytest.raises(ValueError, match="above 0"):
        getattr(kd, f"sample_{name}")(gaussian, START, 0.0, float(LEVELS[0]), *count)


def test_signatures_are_those_of_k_diffusion(kd: Any) -> None:
    def of(name: str) -> list[str]:
        return list(inspect.signature(getattr(kd, name)).parameters)

    usual = ["model", "x", "sigmas", "extra_args", "callback", "disable"]
    noisy = [*usual, "eta", "s_noise", "noise_sampler"]
    assert of("sample_euler") == [*usual, "s_churn", "s_tmin", "s_tmax", "s_noise"]
    assert of("sample_euler_ancestral") == noisy
    assert of("sample_dpmpp_sde") == of("sample_dpmpp_sde_gpu") == [*noisy, "r"]
    assert of("sample_dpmpp_2m_sde") == [*noisy, "solver_type"]
    assert of("sample_dpmpp_3m_sde") == noisy
    assert of("sample_dpm_fast")[2:5] == ["sigma_min", "sigma_max", "n"]


def test_options_are_ours_too(kd: Any) -> None:
    plain = kd.sample_euler(gaussian, START, LEVELS)
    for same in (
        kd.sample_euler_ancestral(gaussian, START, LEVELS, eta=0.0),
        kd.sample_euler_ancestral(gaussian, START, LEVELS, None, None, None, 0.0),
        kd.sample_lms(gaussian, START, LEVELS, order=1),
        kd.sample_ipndm(gaussian, START, LEVELS, max_order=1),
    ):
        torch.testing.assert_close(same[:, :, :2], plain[:, :, :2], rtol=1e-3, atol=1e-3)
    halves = [
        kd.sample_dpmpp_2m_sde(gaussian, START, LEVELS, solver_type=each, eta=0.0) for each in ("midpoint", "heun")
    ]
    assert not torch.equal(*halves)
    with pytest.raises(TypeError, match="etta"):
        kd.sample_euler_ancestral(gaussian, START, LEVELS, etta=0.0)


def test_churn_puts_noise_back_before_a_step(kd: Any) -> None:
    heard: list[Mapping[str, Any]] = []
    torch.manual_seed(1)
    first = kd.sample_euler(gaussian, START, LEVELS, callback=heard.append, s_churn=2.0)
    torch.manual_seed(1)
    again = kd.sample_euler(gaussian, START, LEVELS, s_churn=2.0)
    assert torch.equal(first, again)
    gamma = min(2.0 / (len(LEVELS) - 1), math.sqrt(2) - 1)
    torch.testing.assert_close(heard[0]["sigma_hat"], LEVELS[0] * (1 + gamma))


def test_the_seed_of_extra_args_decides_the_noise_of_steps(kd: Any) -> None:
    one, two, other = (
        kd.sample_euler_ancestral(gaussian, START, LEVELS, extra_args={"seed": seed}) for seed in (3, 3, 4)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_a_plugin_may_replace_the_default_noise(kd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def silent(x: Tensor, seed: int | None = None) -> Any:
        asked.append(seed)
        return lambda sigma, sigma_next: torch.zeros_like(x)

    monkeypatch.setattr(kd, "default_noise_sampler", silent)
    made = kd.sample_lcm(gaussian, START, LEVELS, extra_args={"seed": 5})
    assert asked == [5]
    x = START
    for level in LEVELS[:-1]:
        x = denoised(x, level)
    torch.testing.assert_close(made, x)


def test_default_noise_is_drawn_on_the_cpu_from_the_seed_after(kd: Any) -> None:
    drawn = kd.default_noise_sampler(START, seed=7)(LEVELS[0], LEVELS[1])
    assert torch.equal(drawn, torch.randn(START.shape, generator=torch.Generator().manual_seed(8)))
    torch.manual_seed(0)
    free = kd.default_noise_sampler(START)
    first, second = free(LEVELS[0], LEVELS[1]), free(LEVELS[1], LEVELS[2])
    assert not torch.equal(first, second)


def test_a_given_noise_sampler_is_asked_from_level_to_level(kd: Any) -> None:
    asked = []

    def given(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        asked.append((float(sigma), float(sigma_next)))
        return torch.zeros_like(START)

    kd.sample_euler_ancestral(gaussian, START, LEVELS, noise_sampler=given)
    levels = LEVELS.tolist()
    assert asked == list(pairwise(levels[:-1]))


def test_path_noise_agrees_between_fine_and_coarse_steps(kd: Any) -> None:
    made = kd.BrownianTreeNoiseSampler(START, 0.03, 14.0, seed=5, cpu=True)
    whole = made(10.0, 2.0) * math.sqrt(8.0)
    parts = made(10.0, 6.0) * 2.0 + made(6.0, 2.0) * 2.0
    torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-5)
    again = kd.BrownianTreeNoiseSampler(START, 0.03, 14.0, seed=5, cpu=True)
    assert torch.equal(again(10.0, 2.0), made(10.0, 2.0))
    torch.testing.assert_close(made(2.0, 10.0), -made(10.0, 2.0))
    assert 0.7 < float(made(10.0, 2.0).std()) < 1.3


def test_path_noise_takes_a_seed_for_each_latent_and_a_transform(kd: Any) -> None:
    both = kd.BrownianTreeNoiseSampler(START, 0.03, 14.0, seed=[5, 6], cpu=True)(10.0, 2.0)
    assert both.shape == START.shape
    alone = kd.BrownianTreeNoiseSampler(START[1:], 0.03, 14.0, seed=[6], cpu=True)(10.0, 2.0)
    torch.testing.assert_close(both[1:], alone)
    logs = kd.BrownianTreeNoiseSampler(START, 0.03, 14.0, seed=5, transform=lambda s: s.log(), cpu=True)
    plain = kd.BrownianTreeNoiseSampler(START, math.log(0.03), math.log(14.0), seed=5, cpu=True)
    torch.testing.assert_close(logs(10.0, 2.0), plain(math.log(10.0), math.log(2.0)), rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="batch of 2"):
        kd.BrownianTreeNoiseSampler(START, 0.03, 14.0, seed=[5], cpu=True)


def test_to_d_is_the_slope_and_ancestral_steps_keep_the_variance(kd: Any) -> None:
    torch.testing.assert_close(kd.to_d(START, torch.tensor([2.0, 4.0]), START * 0)[1], START[1] / 4)
    torch.testing.assert_close(kd.to_d(START, torch.tensor(2.0), START * 0), START / 2)
    down, up = kd.get_ancestral_step(torch.tensor(5.0), torch.tensor(3.0))
    assert float(up) == pytest.approx(3 * math.sqrt(1 - 9 / 25))
    assert float(down**2 + up**2) == pytest.approx(9.0)
    assert kd.get_ancestral_step(5.0, 3.0, eta=0.0) == (3.0, 0.0)


def test_levels_follow_their_formulas(kd: Any) -> None:
    karras = kd.get_sigmas_karras(5, 0.1, 10.0)
    ramp = [(10 ** (1 / 7) + i / 4 * (0.1 ** (1 / 7) - 10 ** (1 / 7))) ** 7 for i in range(5)]
    assert karras.tolist() == pytest.approx([*ramp, 0.0], rel=1e-5)
    assert kd.get_sigmas_karras(5, 0.1, 10.0, rho=1.0).diff()[:4].tolist() == pytest.approx([-2.475] * 4, rel=1e-4)
    equal = [math.exp(math.log(10) + i / 4 * math.log(0.01)) for i in range(5)] + [0.0]
    assert kd.get_sigmas_exponential(5, 0.1, 10.0).tolist() == pytest.approx(equal, rel=1e-5)
    assert kd.get_sigmas_polyexponential(5, 0.1, 10.0).tolist() == pytest.approx(equal, rel=1e-5)
    bent = kd.get_sigmas_polyexponential(3, 0.1, 10.0, rho=2.0).tolist()
    assert bent == pytest.approx([10.0, math.exp(0.25 * math.log(100) + math.log(0.1)), 0.1, 0.0], rel=1e-5)
    assert float(kd.get_sigmas_vp(4)[0]) == pytest.approx(math.sqrt(math.expm1(19.9 / 2 + 0.1)), rel=1e-5)
    assert len(kd.get_sigmas_laplace(6, 0.1, 10.0)) == 6
    assert kd.append_zero(torch.ones(2)).tolist() == [1.0, 1.0, 0.0]


def test_what_is_not_there_is_named(kd: Any) -> None:
    with pytest.raises(AttributeError, match=r"comfy\.k_diffusion\.sampling\.sample_of_tomorrow"):
        _ = kd.sample_of_tomorrow
