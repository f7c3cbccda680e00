"""What our own nodes put into guidance (engine.sampling.guidance.Hooks), as ComfyUI's functions in model_options.

So that a model keeps them when a plugin's sampler draws with it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import comfy
from torch import Tensor

from compat.foreign import prediction_of
from compat.sampling.again import Again
from engine.sampling.hooks import Answers, Hooks, Level

Args = Mapping[str, Any]


def wear(patcher: Any, hooks: Hooks) -> None:
    """Adds these hooks to a patcher, after those it has.

    `check` is left out: this way has its own; and `network`: it computes the same as the network itself.
    """
    options = patcher.model_options
    if hooks.patches:
        inner = options.setdefault("transformer_options", {})
        options["transformer_options"] = comfy.patcher_extension.merge_nested_dicts(inner, dict(hooks.patches))
    if hooks.combine is not None:
        patcher.set_model_sampler_cfg_function(_combined(hooks.combine))
    for before in hooks.before:
        patcher.set_model_sampler_pre_cfg_function(_before(before))
    for after in hooks.after:
        patcher.set_model_sampler_post_cfg_function(_after(after))
    if hooks.redraw_mask is not None:
        patcher.set_model_denoise_mask_function(_mask(hooks.redraw_mask))
    if hooks.around is not None:
        patcher.add_wrapper(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, _around(hooks.around))
    if hooks.starts or hooks.ends:
        patcher.add_wrapper(comfy.patcher_extension.WrappersMP.OUTER_SAMPLE, _running(hooks))
    if hooks.always_both:
        options["disable_cfg1_optimization"] = True


def _answers(args: Args, told: Sequence[Tensor], conds: Sequence[Any]) -> Answers:
    """What a function of ComfyUI's is told, as our hooks know it. `told` and `conds` are of all sides, in order."""
    wanted, unwanted, *others = told
    again = Again(args["model"], conds, args["model_options"]) if "model" in args else None
    return Answers(args["input"], args["sigma"][0], wanted, unwanted, args["cond_scale"], tuple(others), again)


def _combined(combine: Callable[[Answers], Tensor]) -> Callable[[Args], Tensor]:
    def function(args: Args) -> Tensor:
        # Plugins call such functions themselves, and some tell no more than ComfyUI's first versions did.
        told = _pair(args) if "cond_denoised" in args else [args["input"] - args[each] for each in ("cond", "uncond")]
        answers = _answers(args, told, (args.get("input_cond"), args.get("input_uncond")))
        found: Tensor = args["input"] - combine(answers)
        return found

    return function


def _before(before: Callable[[Answers], Answers]) -> Callable[[Args], list[Tensor]]:
    return lambda args: [*before(_answers(args, args["conds_out"], args["conds"])).sides]


def _after(after: Callable[[Answers, Tensor], Tensor]) -> Callable[[Args], Tensor]:
    def function(args: Args) -> Tensor:
        told, conds = _pair(args), [args["cond"], args["uncond"]]
        if "empty_cond_denoised" in args:
            told, conds = [*told, args["empty_cond_denoised"]], [*conds, args["empty_cond"]]
        return after(_answers(args, told, conds), args["denoised"])

    return function


def _pair(args: Args) -> list[Tensor]:
    return [args["cond_denoised"], args["uncond_denoised"]]


def _mask(redraw_mask: Callable[[Level, Tensor], Tensor]) -> Callable[..., Tensor]:
    def function(sigma: Tensor, denoise_mask: Tensor, extra_options: Args) -> Tensor:
        table = prediction_of(extra_options["model"].inner_model.model_sampling, None).table
        return redraw_mask(Level(sigma[0], extra_options["sigmas"], table), denoise_mask)

    return function


def _running(hooks: Hooks) -> Callable[..., Tensor]:
    def wrapper(executor: Any, *args: Any, **kwargs: Any) -> Tensor:
        with hooks.running():
            drawn: Tensor = executor(*args, **kwargs)
            return drawn

    return wrapper


def _around(around: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Our hook goes around the network alone, and is told the sign of each row."""

    def wrapper(executor: Any, x: Tensor, timesteps: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        names = ("context", "y", "control", "transformer_options")
        given = {"x": x, "timesteps": timesteps, **dict(zip(names, args, strict=False)), **kwargs}
        signs = (given.get("transformer_options") or {}).get("cond_or_uncond", [0])
        rows = [sign for sign in signs for _ in range(len(x) // len(signs))]

        def network(*, x: Tensor, timesteps: Tensor, **others: Any) -> Tensor:
            answered: Tensor = executor(x, timesteps, **others)
            return answered

        return around(network, given, rows)

    return wrapper
