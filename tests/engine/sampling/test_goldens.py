"""Every number of goldens/samplers.safetensors, made by ComfyUI 0.3.64 (tests/goldens/README.md)."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.sampling import noise
from engine.sampling.prediction import Prediction
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULERS, sigmas
from engine.sampling.table import SigmaTable
from tests.engine.sampling.gaussian import MEAN, denoised, walked

GOLDENS = load_file(Path(__file__).parents[2] / "goldens" / "samplers.safetensors")
TABLE = SigmaTable.from_betas()
SEED = 1234567


def kind(key: str) -> str:
    return key.split(".")[0]


def keys(wanted: str) -> list[str]:
    return sorted(key for key in GOLDENS if kind(key) == wanted)


def test_every_golden_is_compared_below() -> None:
    assert {kind(key) for key in GOLDENS} == {"table", "sigmas", "noise", "sample", "sample_cfgpp"}
    assert len(GOLDENS) == sum(len(keys(each)) for each in ("table", "sigmas", "noise", "sample", "sample_cfgpp"))


def test_every_sampler_and_schedule_of_the_goldens_is_offered() -> None:
    assert {key.split(".")[1] for key in keys("sample") + keys("sample_cfgpp")} <= set(SAMPLERS)
    # Newer ComfyUI has two more; plms is LDM's.
    assert len(SAMPLERS) == 44 + 1
    assert SAMPLERS[-1] == "plms"
    assert {key.split(".")[1] for key in keys("sigmas")} - {"denoise", "dpm_2", "uni_pc"} == set(SCHEDULERS)


@pytest.mark.parametrize("key", keys("table"))
def test_the_table_is_that_of_stable_diffusion(key: str) -> None:
    torch.testing.assert_close(TABLE.sigmas, GOLDENS[key], rtol=1e-6, atol=0)


@pytest.mark.parametrize("key", keys("sigmas"))
def test_schedules_are_those_of_the_goldens(key: str) -> None:
    _, *words = key.split(".")
    match words:
        case ["denoise", *share, name, steps]:
            made = sigmas(name, TABLE, int(steps), denoise=float(".".join(share)))
        case [("dpm_2" | "uni_pc") as sampler, name, steps]:
            made = sigmas(name, TABLE, int(steps), sampler=sampler)
        case [name, steps]:
            made = sigmas(name, TABLE, int(steps))
    torch.testing.assert_close(made, GOLDENS[key], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("key", keys("noise"))
def test_noise_is_that_of_the_goldens(key: str) -> None:
    _, seed, which = key.split(".")
    golden = GOLDENS[key]
    index = [int(each) for each in which.split("_")[2:]] if which.startswith("batch_index") else None
    assert torch.equal(noise.initial(torch.zeros_like(golden), int(seed), index), golden)


@pytest.mark.parametrize("key", keys("sample") + keys("sample_cfgpp"))
def test_samplers_reach_the_latents_of_the_goldens(key: str) -> None:
    _, name, schedule, steps = key.split(".")
    levels = sigmas(schedule, TABLE, int(steps), sampler=name)
    empty = torch.zeros(1, 4, 8, 8)
    x = Prediction("eps", TABLE).start(empty, noise.initial(empty, SEED), levels[0])
    made = walked(name, x, levels, guided if kind(key) == "sample_cfgpp" else conditional, SEED)
    # The worst single element, as a share of the latent's largest: an element near zero has no relative error to speak
    # of, and a norm over all would hide one that is wrong. deis is integrated exactly here and with 10,000 rectangles
    # there, which moves it by up to 3.2e-5; of all others the worst is 1.5e-6.
    error = (made - GOLDENS[key]).abs().max() / GOLDENS[key].abs().max()
    assert float(error) < (1e-4 if name == "deis" else 1e-5)


def conditional(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    # The goldens were made at scale 1, where nobody asks for the unconditional answer: it is zeros.
    answer = denoised(x, sigma)
    return answer, torch.zeros_like(answer)


def guided(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    wanted, unwanted = denoised(x, sigma), denoised(x, sigma, -MEAN)
    return unwanted + 1.5 * (wanted - unwanted), unwanted
