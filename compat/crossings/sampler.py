"""SAMPLER at the border: one of the engine's by name and options, and the KSAMPLER objects that plugins know.

What a plugin made or changed goes on as itself; only ComfyUI's way can walk with it.
"""

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import comfy
from comfy.samplers import KSAMPLER

from compat.crossing import enter, leave
from compat.originals import is_ours
from engine.sampling.samplers import SAMPLERS
from engine.sampling.samplers.er_sde import er_sde_5
from nodes.ways import Sampler

_known: WeakValueDictionary[int, KSAMPLER] = WeakValueDictionary()
_made: "WeakKeyDictionary[KSAMPLER, tuple[Sampler, dict[str, Any]]]" = WeakKeyDictionary()
"""What each was made of, and how it was then."""


@enter.register
def _(value: Sampler) -> Any:
    known = _known.get(id(value))
    if known is not None and _made[known][0] is value:
        return known
    if value.options:
        made = comfy.samplers.ksampler(value.name, as_theirs(value.name, value.options))
    else:
        made = comfy.samplers.sampler_object(value.name)
    if isinstance(made, KSAMPLER):
        _known[id(value)] = made
        _made[made] = (value, _state(made))
    return made


@leave.register
def _(value: KSAMPLER) -> Any:
    if value in _made:
        ours, before = _made[value]
        return ours if _state(value) == before else value
    name = _name_of(value)
    return value if name is None else Sampler(name)


def as_theirs(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A sampler's options in the words of comfy.k_diffusion.sampling."""
    theirs = dict(options)
    if name == "dpm_adaptive" and "control" in theirs:
        theirs.update(vars(theirs.pop("control")))
    if name == "er_sde" and "scale" in theirs:
        scale = theirs.pop("scale")
        theirs["noise_scaler"] = None if scale is er_sde_5 else scale
    if name.startswith("sa_solver") and "orders" in theirs:
        theirs["predictor_order"], theirs["corrector_order"] = theirs.pop("orders")
    if "tau" in theirs:
        theirs["tau_func"] = theirs.pop("tau")
    return theirs


def _state(sampler: KSAMPLER) -> dict[str, Any]:
    return {**vars(sampler), "extra_options": dict(sampler.extra_options), "type": type(sampler)}


def _name_of(sampler: KSAMPLER) -> str | None:
    """Which of ours a plugin took with nothing changed."""
    function = sampler.sampler_function
    name = getattr(function, "__name__", "").removeprefix("sample_")
    usual = vars(sampler).keys() == {"sampler_function", "extra_options", "inpaint_options"}
    named = getattr(comfy.samplers.k_diffusion_sampling, f"sample_{name}", None) if name in SAMPLERS else None
    if type(sampler) is not KSAMPLER or not usual or sampler.extra_options or named is not function:
        return None
    if not is_ours(function):
        return None
    if sampler.inpaint_options:
        return "ddim" if (name, sampler.inpaint_options) == ("euler", {"random": True}) else None
    return name
