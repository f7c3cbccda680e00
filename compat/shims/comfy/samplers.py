"""ComfyUI's `comfy.samplers`: from conditions and a model to a picture, with every place where plugins step in.

The way of a picture: KSampler.sample → sample → CFGGuider.sample → outer_sample → inner_sample → KSAMPLER.sample → a
function of comfy.k_diffusion.sampling → KSamplerX0Inpaint → CFGGuider.predict_noise → sampling_function →
calc_cond_batch → BaseModel.apply_model. Plugins replace functions here, so all of them find each other in this module
when they are called.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

import comfy.extra_samplers.uni_pc
import comfy.k_diffusion.sampling
from compat.missing import missing
from compat.sampling import calling
from compat.sampling.asking import (
    CondObj,
    can_concat_cond,
    cond_cat,
    cond_equal_size,
    cut,
    get_area_and_mult,
)
from compat.sampling.conds import (
    apply_empty_x_to_equal_area,
    calculate_start_end_timesteps,
    create_cond_with_same_area_if_none,
    encode_model_conds,
    pre_run_control,
    resolve_areas_and_cond_masks,
    resolve_areas_and_cond_masks_multidim,
)
from compat.sampling.guider import CFGGuider
from compat.sampling.ksampler import KSAMPLER, KSampler, KSamplerX0Inpaint, Sampler, ksampler, sample, sampler_object
from compat.sampling.schedulers import (
    SchedulerHandler,
    beta_scheduler,
    ddim_scheduler,
    kl_optimal_scheduler,
    linear_quadratic_schedule,
    normal_scheduler,
    sgm_uniform_scheduler,
    simple_scheduler,
)
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULERS

__all__ = [
    "KSAMPLER",
    "SAMPLER_NAMES",
    "SCHEDULER_HANDLERS",
    "SCHEDULER_NAMES",
    "CFGGuider",
    "CondObj",
    "KSampler",
    "KSamplerX0Inpaint",
    "Sampler",
    "SchedulerHandler",
    "apply_empty_x_to_equal_area",
    "beta_scheduler",
    "calc_cond_batch",
    "calculate_sigmas",
    "calculate_start_end_timesteps",
    "can_concat_cond",
    "cfg_function",
    "cond_cat",
    "cond_equal_size",
    "create_cond_with_same_area_if_none",
    "cut",
    "ddim_scheduler",
    "encode_model_conds",
    "get_area_and_mult",
    "kl_optimal_scheduler",
    "ksampler",
    "linear_quadratic_schedule",
    "normal_scheduler",
    "pre_run_control",
    "process_conds",
    "resolve_areas_and_cond_masks",
    "resolve_areas_and_cond_masks_multidim",
    "sample",
    "sampler_object",
    "sampling_function",
    "simple_scheduler",
]

k_diffusion_sampling = comfy.k_diffusion.sampling
"""The module that sampler functions are looked up in, under the name plugins reach it by."""

Options = dict[str, Any]
Cond = dict[str, Any]

SAMPLER_NAMES: list[str] = list(SAMPLERS)
SCHEDULER_NAMES: list[str] = list(SCHEDULERS)
KSampler.SAMPLERS = SAMPLER_NAMES
KSampler.SCHEDULERS = SCHEDULER_NAMES
SCHEDULER_HANDLERS: dict[str, SchedulerHandler] = {
    "simple": SchedulerHandler(simple_scheduler),
    "sgm_uniform": SchedulerHandler(sgm_uniform_scheduler),
    "karras": SchedulerHandler(k_diffusion_sampling.get_sigmas_karras, use_ms=False),
    "exponential": SchedulerHandler(k_diffusion_sampling.get_sigmas_exponential, use_ms=False),
    "ddim_uniform": SchedulerHandler(ddim_scheduler),
    "beta": SchedulerHandler(beta_scheduler),
    "normal": SchedulerHandler(normal_scheduler),
    "linear_quadratic": SchedulerHandler(linear_quadratic_schedule),
    "kl_optimal": SchedulerHandler(kl_optimal_scheduler, use_ms=False),
}


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)


def calculate_sigmas(model_sampling: Any, scheduler_name: str, steps: int) -> Tensor:
    """The noise levels of a schedule, falling, ending in 0. Raises: ValueError, for an unknown schedule."""
    handler = SCHEDULER_HANDLERS.get(scheduler_name)
    if handler is None:
        known = ", ".join(SCHEDULER_HANDLERS)
        raise ValueError(f"scheduler {scheduler_name!r} is unknown; choose one of {known}")
    if handler.use_ms:
        return handler.handler(model_sampling, steps)
    ends = {"sigma_min": float(model_sampling.sigma_min), "sigma_max": float(model_sampling.sigma_max)}
    return handler.handler(n=steps, **ends)


def calc_cond_batch(
    model: Any, conds: Sequence[list[Cond] | None], x_in: Tensor, timestep: Tensor, model_options: Options
) -> list[Tensor]:
    """What the model sees in a latent under each list of conditions; zeros for a list that is None.

    Shapes: x_in [B, C, …]; timestep [B], noise levels. Returns: clean latents, one for each list.
    """
    handler = model_options.get("context_handler")
    if handler is not None and handler.should_use_context(model, conds, x_in, timestep, model_options):
        windowed: list[Tensor] = handler.execute(calling.wrapped, model, conds, x_in, timestep, model_options)
        return windowed
    return calling.wrapped(model, conds, x_in, timestep, model_options)


def cfg_function(
    model: Any,
    cond_pred: Tensor,
    uncond_pred: Tensor,
    cond_scale: float,
    x: Tensor,
    timestep: Tensor,
    model_options: Options | None = None,
    cond: list[Cond] | None = None,
    uncond: list[Cond] | None = None,
) -> Tensor:
    """Both answers as one: pushed from the unconditional to the other, or as hooks would have it."""
    options = {} if model_options is None else model_options
    told = {"cond_scale": cond_scale, "sigma": timestep, "input": x, "model": model, "model_options": options}
    answers = {"cond_denoised": cond_pred, "uncond_denoised": uncond_pred}
    if "sampler_cfg_function" in options:
        noise = {"cond": x - cond_pred, "uncond": x - uncond_pred, "timestep": timestep}
        given = {**noise, **told, **answers, "input_cond": cond, "input_uncond": uncond}
        result: Tensor = x - options["sampler_cfg_function"](given)
    else:
        result = uncond_pred + (cond_pred - uncond_pred) * cond_scale
    for function in options.get("sampler_post_cfg_function", []):
        result = function({"denoised": result, "cond": cond, "uncond": uncond, **told, **answers})
    return result


def sampling_function(
    model: Any,
    x: Tensor,
    timestep: Tensor,
    uncond: list[Cond] | None,
    cond: list[Cond] | None,
    cond_scale: float,
    model_options: Options | None = None,
    seed: int | None = None,
) -> Tensor:
    """One look of a guided model. At scale 1 nobody asks about `uncond`, unless hooks want it.

    Shapes: x [B, C, …]; timestep [B], noise levels. Returns: the clean latent.
    """
    options = {} if model_options is None else model_options
    skips = math.isclose(cond_scale, 1.0) and not options.get("disable_cfg1_optimization", False)
    asked = None if skips else uncond
    conds = [cond, asked]
    told = {"conds": conds, "input": x, "sigma": timestep, "model": model, "model_options": options}
    if "sampler_calc_cond_batch_function" in options:
        out = options["sampler_calc_cond_batch_function"](told)
    else:
        out = calc_cond_batch(model, conds, x, timestep, options)
    for function in options.get("sampler_pre_cfg_function", []):
        out = function({**told, "conds_out": out, "cond_scale": cond_scale, "timestep": timestep})
    return cfg_function(model, out[0], out[1], cond_scale, x, timestep, options, cond=cond, uncond=asked)


def process_conds(
    model: Any,
    noise: Tensor,
    conds: dict[str, list[Cond]],
    device: torch.device,
    latent_image: Tensor | None = None,
    denoise_mask: Tensor | None = None,
    seed: int | None = None,
) -> dict[str, list[Cond]]:
    """All lists of conditions made ready for one run; both signs borrow areas and hints from each other."""
    ready = {name: list(each) for name, each in conds.items()}
    for name, each in ready.items():
        resolve_areas_and_cond_masks_multidim(each, noise.shape[2:], device)
        calculate_start_end_timesteps(model, each)
        if hasattr(model, "extra_conds"):
            given = {"latent_image": latent_image, "denoise_mask": denoise_mask, "seed": seed}
            ready[name] = encode_model_conds(model.extra_conds, each, noise, device, name, **given)
    for name, each in ready.items():
        for cond in list(each):
            for other in ready:
                if other != name:
                    create_cond_with_same_area_if_none(ready[other], cond)
    for each in ready.values():
        calling.start_hooks(model, each)
        pre_run_control(model, each)
    if "positive" in ready:
        _lend(ready)
    return ready


def _lend(ready: dict[str, list[Cond]]) -> None:
    """Hints and boxes of positive conditions go to those of the other lists that have none."""
    positive = ready["positive"]
    lending = [each for each in positive if each.get("control_apply_to_uncond", False) is True]
    for name, each in ready.items():
        if name != "positive":
            apply_empty_x_to_equal_area(lending, each, "control", lambda found, turn: found[turn])
            apply_empty_x_to_equal_area(positive, each, "gligen", lambda found, turn: found[turn])
