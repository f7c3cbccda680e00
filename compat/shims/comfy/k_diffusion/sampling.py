"""k-diffusion's sampler functions, as `comfy.k_diffusion.sampling`: thin adapters over engine/sampling/samplers.

`sample_<name>(model, x, sigmas, extra_args=None, callback=None, disable=None, …)` walks `model(x, sigma_batch,
**extra_args) → denoised` down the levels. Plugins add their own functions to this module and replace
`default_noise_sampler`; both are looked up here at each call.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from comfy.k_diffusion.utils import append_dims
from compat.missing import missing
from compat.sampling.noises import PathNoise, fresh
from compat.sampling.scales import exponential, karras, laplace, polyexponential, variance_preserving
from compat.sampling.walks import Callback, Model, NoiseSampler, Outing, model_sampling_of
from engine.sampling.denoiser import VARIANCE_EXPLODING, ancestral
from engine.sampling.samplers import registry as ours
from engine.sampling.samplers.dpm_solver import StepControl
from engine.sampling.samplers.euler import Churn
from engine.sampling.samplers.sa_solver import between

get_sigmas_karras = karras
get_sigmas_exponential = exponential
get_sigmas_polyexponential = polyexponential
get_sigmas_vp = variance_preserving
get_sigmas_laplace = laplace
BrownianTreeNoiseSampler = PathNoise


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)


def append_zero(x: Tensor) -> Tensor:
    """The same levels, and none at the end. Shapes: x [S] → [S + 1]."""
    return torch.cat([x, x.new_zeros([1])])


def to_d(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """Where the noise points: dx/dσ. Shapes: sigma a scalar or [B]."""
    level = torch.as_tensor(sigma)
    slope: Tensor = (x - denoised) / (append_dims(level, x.ndim) if level.ndim else level)
    return slope


def get_ancestral_step(sigma_from: Any, sigma_to: Any, eta: float = 1.0) -> tuple[Any, Any]:
    """A step as a longer step down and noise to come back up: (the level to go down to, the noise to add)."""
    start, end = (torch.as_tensor(each) for each in (sigma_from, sigma_to))
    if not eta:
        return sigma_to, 0.0
    down, _, up = ancestral(VARIANCE_EXPLODING, start, end, eta)
    return down, up


def default_noise_sampler(x: Tensor, seed: int | None = None) -> NoiseSampler:
    """What makes the noise between two steps where nothing else was asked for: from a seed, or from torch's own."""
    return (lambda sigma, sigma_next: torch.randn_like(x)) if seed is None else fresh(x, seed)


def _sampler(
    name: str,
    source: Callable[[Outing], NoiseSampler] | None = None,
    *,
    guided: bool = False,
    understood: Callable[..., dict[str, Any]] | None = None,
    **options: Any,
) -> Callable[..., Tensor]:
    """One of our samplers as a function with k-diffusion's arguments, then these options with their defaults.

    `source` makes its noise where no noise_sampler was given. `understood(**options)` puts options into our words;
    without it they are ours already, and those that our sampler has no use for are dropped.
    """
    walk = ours.SAMPLERS_BY_NAME[name].function
    signature = _signature(options)
    ours_too = set(inspect.signature(walk).parameters) - {"noise"}

    def sample(*args: Any, **kwargs: Any) -> Tensor:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        model, x, sigmas, extra_args, callback, _, *values = bound.arguments.values()
        chosen = dict(zip(options, values, strict=True))
        outing = Outing(model, x, sigmas, extra_args, callback)
        if len(sigmas) < 2:
            return outing.x
        noise_sampler = chosen.pop("noise_sampler", None)
        noise = [] if source is None else [noise_sampler or source(outing)]
        if understood is None:
            chosen = {key: value for key, value in chosen.items() if key in ours_too}
        else:
            chosen = understood(outing, **chosen)
        return outing.walked(walk, *noise, guided=guided, **chosen)

    sample.__name__ = sample.__qualname__ = f"sample_{name}"
    sample.__doc__ = walk.__doc__
    sample.__signature__ = signature  # type: ignore[attr-defined]
    return sample


def _signature(options: dict[str, Any]) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    needed = [inspect.Parameter(each, kind) for each in ("model", "x", "sigmas")]
    usual = {"extra_args": None, "callback": None, "disable": None, **options}
    return inspect.Signature([*needed, *(inspect.Parameter(k, kind, default=value) for k, value in usual.items())])


def _fresh(outing: Outing) -> NoiseSampler:
    return default_noise_sampler(outing.x, seed=outing.seed)


def _path(outing: Outing, cpu: bool = True) -> NoiseSampler:
    levels = outing.path.started(outing.levels)
    return BrownianTreeNoiseSampler(outing.x, levels[levels > 0].min(), levels.max(), seed=outing.seed, cpu=cpu)


def _device_path(outing: Outing) -> NoiseSampler:
    return _path(outing, cpu=False)


def _churn(outing: Outing, s_churn: float, s_tmin: float, s_tmax: float, s_noise: float) -> dict[str, Any]:
    # ComfyUI: the noise put back is torch's own, whatever the seed; KSampler has seeded that, too.
    noise = (lambda sigma, higher: torch.randn_like(outing.x)) if s_churn > 0 else None
    return {"churn": Churn(s_churn, s_tmin, s_tmax, s_noise), "noise": noise}


def _deis(outing: Outing, max_order: int, deis_mode: str) -> dict[str, Any]:
    if deis_mode != "tab":
        raise ValueError(f"deis_mode is 'tab' (time-based Adams-Bashforth), the only one there is; not {deis_mode!r}")
    return {"max_order": max_order}


def _er_sde(outing: Outing, s_noise: float, noise_scaler: Any, max_stage: int) -> dict[str, Any]:
    return {"s_noise": s_noise, "scale": noise_scaler, "max_stage": max_stage}


def _sa_solver(
    outing: Outing,
    tau_func: Callable[[float], float] | None,
    s_noise: float,
    predictor_order: int,
    corrector_order: int,
    use_pece: bool = False,
    simple_order_2: bool = False,
) -> dict[str, Any]:
    sampling = model_sampling_of(outing.model)
    if tau_func is None and sampling is not None:
        # Noise helps most in the middle of a run; the shares are ComfyUI's.
        tau_func = between(float(sampling.percent_to_sigma(0.8)), float(sampling.percent_to_sigma(0.2)))
    orders = (predictor_order, corrector_order)
    found = {"tau": tau_func, "s_noise": s_noise, "orders": orders, "simple_order_2": simple_order_2}
    return {**found, "use_pece": use_pece}


_CHURN: dict[str, Any] = {"understood": _churn, "s_churn": 0.0, "s_tmin": 0.0, "s_tmax": math.inf, "s_noise": 1.0}
_NOISY: dict[str, Any] = {"eta": 1.0, "s_noise": 1.0, "noise_sampler": None}

sample_euler = _sampler("euler", **_CHURN)
sample_euler_ancestral = _sampler("euler_ancestral", _fresh, **_NOISY)
sample_euler_cfg_pp = _sampler("euler_cfg_pp", guided=True)
sample_euler_ancestral_cfg_pp = _sampler("euler_ancestral_cfg_pp", _fresh, guided=True, **_NOISY)
sample_heun = _sampler("heun", **_CHURN)
sample_heunpp2 = _sampler("heunpp2", **_CHURN)
sample_exp_heun_2_x0 = _sampler("exp_heun_2_x0")
sample_exp_heun_2_x0_sde = _sampler("exp_heun_2_x0_sde", _fresh, **_NOISY)
sample_dpm_2 = _sampler("dpm_2", **_CHURN)
sample_dpm_2_ancestral = _sampler("dpm_2_ancestral", _fresh, **_NOISY)
sample_lms = _sampler("lms", order=4)
sample_dpmpp_2s_ancestral = _sampler("dpmpp_2s_ancestral", _fresh, **_NOISY)
sample_dpmpp_2s_ancestral_cfg_pp = _sampler("dpmpp_2s_ancestral_cfg_pp", _fresh, guided=True, **_NOISY)
sample_dpmpp_sde = _sampler("dpmpp_sde", _path, **_NOISY, r=0.5)
sample_dpmpp_sde_gpu = _sampler("dpmpp_sde_gpu", _device_path, **_NOISY, r=0.5)
sample_dpmpp_2m = _sampler("dpmpp_2m")
sample_dpmpp_2m_cfg_pp = _sampler("dpmpp_2m_cfg_pp", guided=True)
sample_dpmpp_2m_sde = _sampler("dpmpp_2m_sde", _path, **_NOISY, solver_type="midpoint")
sample_dpmpp_2m_sde_gpu = _sampler("dpmpp_2m_sde_gpu", _device_path, **_NOISY, solver_type="midpoint")
sample_dpmpp_2m_sde_heun = _sampler("dpmpp_2m_sde_heun", _path, **_NOISY)
sample_dpmpp_2m_sde_heun_gpu = _sampler("dpmpp_2m_sde_heun_gpu", _device_path, **_NOISY)
sample_dpmpp_3m_sde = _sampler("dpmpp_3m_sde", _path, **_NOISY)
sample_dpmpp_3m_sde_gpu = _sampler("dpmpp_3m_sde_gpu", _device_path, **_NOISY)
sample_ddpm = _sampler("ddpm", _fresh, noise_sampler=None)
sample_lcm = _sampler("lcm", _fresh, noise_sampler=None, growth=None)
sample_ipndm = _sampler("ipndm", max_order=4)
sample_ipndm_v = _sampler("ipndm_v", max_order=4)
sample_deis = _sampler("deis", understood=_deis, max_order=3, deis_mode="tab")
sample_res_multistep = _sampler("res_multistep", s_noise=1.0, noise_sampler=None)
sample_res_multistep_cfg_pp = _sampler("res_multistep_cfg_pp", guided=True, s_noise=1.0, noise_sampler=None)
sample_res_multistep_ancestral = _sampler("res_multistep_ancestral", _fresh, **_NOISY)
sample_res_multistep_ancestral_cfg_pp = _sampler("res_multistep_ancestral_cfg_pp", _fresh, guided=True, **_NOISY)
sample_gradient_estimation = _sampler("gradient_estimation", ge_gamma=2.0)
sample_gradient_estimation_cfg_pp = _sampler("gradient_estimation_cfg_pp", guided=True, ge_gamma=2.0)
sample_er_sde = _sampler(
    "er_sde", _fresh, understood=_er_sde, s_noise=1.0, noise_sampler=None, noise_scaler=None, max_stage=3
)
sample_seeds_2 = _sampler("seeds_2", _fresh, **_NOISY, r=0.5)
sample_seeds_3 = _sampler("seeds_3", _fresh, **_NOISY, r_1=1 / 3, r_2=2 / 3)
sample_plms = _sampler("plms")

_ADAMS: dict[str, Any] = {"tau_func": None, "s_noise": 1.0, "noise_sampler": None}
_ADAMS |= {"predictor_order": 3, "corrector_order": 4}
sample_sa_solver = _sampler("sa_solver", _fresh, understood=_sa_solver, **_ADAMS, use_pece=False, simple_order_2=False)


def sample_sa_solver_pece(
    model: Model,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,
    **options: Any,
) -> Tensor:
    """SA-Solver that looks again after each correction. Options: as `sample_sa_solver`, less use_pece."""
    return sample_sa_solver(model, x, sigmas, extra_args, callback, disable, **options, use_pece=True)


def sample_dpm_fast(
    model: Model,
    x: Tensor,
    sigma_min: Any,
    sigma_max: Any,
    n: int,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,
    eta: float = 0.0,
    s_noise: float = 1.0,
    noise_sampler: NoiseSampler | None = None,
) -> Tensor:
    """`n` looks between two levels, spent on third-order steps. Raises: ValueError, for a level of 0."""
    outing = Outing(model, x, _ends(sigma_min, sigma_max, n + 1), extra_args, callback)
    walk = ours.SAMPLERS_BY_NAME["dpm_fast"].function
    return outing.walked(walk, noise_sampler or _fresh(outing), eta=eta, s_noise=s_noise)


def sample_dpm_adaptive(
    model: Model,
    x: Tensor,
    sigma_min: Any,
    sigma_max: Any,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,
    order: int = 3,
    rtol: float = 0.05,
    atol: float = 0.0078,
    h_init: float = 0.05,
    pcoeff: float = 0.0,
    icoeff: float = 1.0,
    dcoeff: float = 0.0,
    accept_safety: float = 0.81,
    eta: float = 0.0,
    s_noise: float = 1.0,
    noise_sampler: NoiseSampler | None = None,
) -> Tensor:
    """Steps between two levels as long as two orders agree. Raises: ValueError, for a level of 0."""
    outing = Outing(model, x, _ends(sigma_min, sigma_max, 2), extra_args, callback)
    walk = ours.SAMPLERS_BY_NAME["dpm_adaptive"].function
    control = StepControl(rtol, atol, h_init, pcoeff, icoeff, dcoeff, accept_safety)
    noise = noise_sampler or _fresh(outing)
    return outing.walked(walk, noise, order=order, control=control, eta=eta, s_noise=s_noise)


def _ends(sigma_min: Any, sigma_max: Any, count: int) -> Tensor:
    """Levels of which only the ends and the number mean something."""
    low, high = (torch.as_tensor(each, dtype=torch.float32).reshape(()) for each in (sigma_min, sigma_max))
    if low <= 0 or high <= 0:
        raise ValueError(f"sigma_min and sigma_max must be above 0, got {float(low)} and {float(high)}")
    return torch.stack([high, *[low] * (count - 1)])
