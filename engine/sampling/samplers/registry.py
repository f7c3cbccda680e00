"""The samplers by name: which function, with what noise, and what else it must be told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from torch import Tensor

from engine.errors import SamplingError
from engine.sampling import noise
from engine.sampling.denoiser import Denoiser, NoiseSource, Walk
from engine.sampling.samplers.ddpm import ddpm, lcm
from engine.sampling.samplers.dpm_solver import dpm_adaptive, dpm_fast
from engine.sampling.samplers.dpmpp import dpmpp_2m, dpmpp_2m_cfg_pp, dpmpp_2s_ancestral, dpmpp_2s_ancestral_cfg_pp
from engine.sampling.samplers.dpmpp_sde import dpmpp_2m_sde, dpmpp_2m_sde_heun, dpmpp_3m_sde, dpmpp_sde
from engine.sampling.samplers.er_sde import er_sde
from engine.sampling.samplers.euler import euler, euler_ancestral, euler_ancestral_cfg_pp, euler_cfg_pp
from engine.sampling.samplers.heun import dpm_2, dpm_2_ancestral, heun, heunpp2
from engine.sampling.samplers.multistep import (
    deis,
    gradient_estimation,
    gradient_estimation_cfg_pp,
    ipndm,
    ipndm_v,
    lms,
    plms,
)
from engine.sampling.samplers.res import (
    res_multistep,
    res_multistep_ancestral,
    res_multistep_ancestral_cfg_pp,
    res_multistep_cfg_pp,
)
from engine.sampling.samplers.sa_solver import between, sa_solver, sa_solver_pece
from engine.sampling.samplers.seeds import exp_heun_2_x0, exp_heun_2_x0_sde, seeds_2, seeds_3
from engine.sampling.samplers.uni_pc import uni_pc, uni_pc_bh2
from engine.sampling.table import SigmaTable


class Randomness(Enum):
    """Where a sampler's noise comes from."""

    NONE = "none"
    FRESH = "fresh"
    PATH = "path"
    PATH_ON_DEVICE = "path on device"


@dataclass(frozen=True)
class Sampler:
    """A way from noise to picture.

    `needs_unconditional`: it reads the unconditional answer even where guidance does not. `settings` are options that
    depend on the model. `fresh_kept_region`: where a mask keeps the picture, it is noised with new noise. `only_falls`:
    with noise on the way it has no step to a higher level.
    """

    function: Callable[..., Walk]
    randomness: Randomness = Randomness.NONE
    needs_unconditional: bool = False
    settings: Callable[[SigmaTable], Mapping[str, Any]] | None = None
    fresh_kept_region: bool = False
    only_falls: bool = False

    def walk(
        self, denoise: Denoiser, x: Tensor, sigmas: Tensor, *, seed: int, table: SigmaTable, options: Mapping[str, Any]
    ) -> Walk:
        """Sets out from x along the noise levels.

        Shapes: x [B, C, h, w] at noise level sigmas[0]; sigmas [S + 1].
        """
        chosen = {**(self.settings(table) if self.settings is not None else {}), **options}
        source = self._source(x, denoise.path.started(sigmas), seed)
        if source is None:
            return self.function(denoise, x, sigmas, **chosen)
        return self.function(denoise, x, sigmas, source, **chosen)

    def _source(self, x: Tensor, sigmas: Tensor, seed: int) -> NoiseSource | None:
        if self.randomness is Randomness.NONE:
            return None
        if self.randomness is Randomness.FRESH:
            return noise.fresh(x, seed)
        return noise.brownian(x, sigmas, seed, self.randomness is Randomness.PATH_ON_DEVICE)


def sampler(name: str) -> Sampler:
    """The sampler of that name.

    Raises: SamplingError, naming those there are.
    """
    if name not in SAMPLERS_BY_NAME:
        raise SamplingError(f"sampler {name!r} is unknown; choose one of {', '.join(SAMPLERS)}")
    return SAMPLERS_BY_NAME[name]


def _middle_of_the_run(table: SigmaTable) -> Mapping[str, Any]:
    # Noise helps most in the middle, Xue et al. 2023, section 6; the shares are ComfyUI's.
    return {"tau": between(table.at_percent(0.8), table.at_percent(0.2))}


def _fresh(function: Callable[..., Walk]) -> Sampler:
    return Sampler(function, Randomness.FRESH, only_falls=True)


def _guided(function: Callable[..., Walk], randomness: Randomness = Randomness.NONE) -> Sampler:
    only_falls = randomness is not Randomness.NONE
    return Sampler(function, randomness, needs_unconditional=True, only_falls=only_falls)


def _adams(function: Callable[..., Walk]) -> Sampler:
    return Sampler(function, Randomness.FRESH, settings=_middle_of_the_run, only_falls=True)


def _path(function: Callable[..., Walk]) -> Sampler:
    return Sampler(function, Randomness.PATH, only_falls=True)


def _device_path(function: Callable[..., Walk]) -> Sampler:
    return Sampler(function, Randomness.PATH_ON_DEVICE, only_falls=True)


SAMPLERS_BY_NAME: Mapping[str, Sampler] = MappingProxyType(
    {
        "euler": Sampler(euler),
        "euler_cfg_pp": _guided(euler_cfg_pp),
        "euler_ancestral": _fresh(euler_ancestral),
        "euler_ancestral_cfg_pp": _guided(euler_ancestral_cfg_pp, Randomness.FRESH),
        "heun": Sampler(heun),
        "heunpp2": Sampler(heunpp2),
        "exp_heun_2_x0": Sampler(exp_heun_2_x0),
        "exp_heun_2_x0_sde": _fresh(exp_heun_2_x0_sde),
        "dpm_2": Sampler(dpm_2),
        "dpm_2_ancestral": _fresh(dpm_2_ancestral),
        "lms": Sampler(lms),
        "dpm_fast": Sampler(dpm_fast, Randomness.FRESH),
        "dpm_adaptive": Sampler(dpm_adaptive, Randomness.FRESH),
        "dpmpp_2s_ancestral": _fresh(dpmpp_2s_ancestral),
        "dpmpp_2s_ancestral_cfg_pp": _guided(dpmpp_2s_ancestral_cfg_pp, Randomness.FRESH),
        "dpmpp_sde": _path(dpmpp_sde),
        "dpmpp_sde_gpu": _device_path(dpmpp_sde),
        "dpmpp_2m": Sampler(dpmpp_2m),
        "dpmpp_2m_cfg_pp": _guided(dpmpp_2m_cfg_pp),
        "dpmpp_2m_sde": _path(dpmpp_2m_sde),
        "dpmpp_2m_sde_gpu": _device_path(dpmpp_2m_sde),
        "dpmpp_2m_sde_heun": _path(dpmpp_2m_sde_heun),
        "dpmpp_2m_sde_heun_gpu": _device_path(dpmpp_2m_sde_heun),
        "dpmpp_3m_sde": _path(dpmpp_3m_sde),
        "dpmpp_3m_sde_gpu": _device_path(dpmpp_3m_sde),
        "ddpm": _fresh(ddpm),
        "lcm": Sampler(lcm, Randomness.FRESH),
        "ipndm": Sampler(ipndm),
        "ipndm_v": Sampler(ipndm_v),
        "deis": Sampler(deis),
        "res_multistep": Sampler(res_multistep),
        "res_multistep_cfg_pp": _guided(res_multistep_cfg_pp),
        "res_multistep_ancestral": _fresh(res_multistep_ancestral),
        "res_multistep_ancestral_cfg_pp": _guided(res_multistep_ancestral_cfg_pp, Randomness.FRESH),
        "gradient_estimation": Sampler(gradient_estimation),
        "gradient_estimation_cfg_pp": _guided(gradient_estimation_cfg_pp),
        "er_sde": _fresh(er_sde),
        "seeds_2": _fresh(seeds_2),
        "seeds_3": _fresh(seeds_3),
        "sa_solver": _adams(sa_solver),
        "sa_solver_pece": _adams(sa_solver_pece),
        # ComfyUI: Euler by another name; only masked pictures differ.
        "ddim": Sampler(euler, fresh_kept_region=True),
        "uni_pc": Sampler(uni_pc),
        "uni_pc_bh2": Sampler(uni_pc_bh2),
        "plms": Sampler(plms),
    }
)

# In the order in which they are offered.
SAMPLERS: tuple[str, ...] = tuple(SAMPLERS_BY_NAME)
