"""Which of ComfyUI's functions that drawing goes through are no longer ours, because a plugin put its own in place.

Nothing is kept to compare with: a function is ours when its code lies in this program's folders.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import torch

from engine.sampling.schedules import WITHOUT_PENULTIMATE

_ROOT = Path(__file__).resolve().parents[1]
OURS = tuple(str(_ROOT / folder) + "/" for folder in ("compat", "engine", "nodes"))

PYTHON = os.path.dirname(os.__file__)

WHOLE = ("comfy.samplers", "comfy.sample", "comfy.sampler_helpers", "comfy.extra_samplers.uni_pc")
"""Modules of which every function and class counts."""

MEMBERS = {
    "comfy.k_diffusion.sampling": ("default_noise_sampler", "BrownianTreeNoiseSampler"),
    "latent_preview": ("prepare_callback", "get_previewer", "LatentPreviewer"),
    "nodes": ("common_ksampler",),
    "comfy.model_management": ("load_models_gpu", "get_torch_device"),
    "comfy.gligen": ("Gligen",),
    "comfy.model_base": ("BaseModel",),
    "comfy.ldm.modules.attention": (
        "optimized_attention",
        "optimized_attention_masked",
        "CrossAttention",
        "BasicTransformerBlock",
        "SpatialTransformer",
    ),
    "comfy.ldm.modules.diffusionmodules.openaimodel": (
        "UNetModel",
        "TimestepEmbedSequential",
        "ResBlock",
        "apply_control",
        "forward_timestep_embed",
    ),
}
"""Modules of which only these count; plugins add much to the others that drawing does not go through."""


NOT_COMFY = frozenset({"torch", "typing", "types", "collections", "builtins", "uuid"})


def is_ours(member: Any) -> bool:
    """Whether a function or class is this program's own, down to its methods."""
    if isinstance(member, FunctionType):
        return member.__code__.co_filename.startswith(OURS)
    if isinstance(member, type):
        file = getattr(sys.modules.get(member.__module__), "__file__", None) or ""
        return file.startswith(OURS) and all(is_ours(each) or _is_made(each) for each in _methods(member))
    return False


def replaced(sampler: str, scheduler: str) -> list[str]:
    """What a plugin put in the place of ours on the way that this sampler and schedule take, by name.

    Modules that nobody imported yet are as they were.
    """
    return [*_functions(), *_sampler(sampler), *_scheduler(scheduler)]


def _functions() -> Iterator[str]:
    for name in WHOLE:
        for key, member in vars(sys.modules.get(name, ModuleType(name))).items():
            if isinstance(member, FunctionType | type) and _is_of_comfy(member) and not is_ours(member):
                yield f"{name}.{key}"
    for name, keys in MEMBERS.items():
        # Not getattr: asking `nodes` for a name it does not have yet brings all of ComfyUI's classes in.
        members = vars(sys.modules.get(name, ModuleType(name)))
        for key in keys:
            if key in members and not is_ours(members[key]):
                yield f"{name}.{key}"


def _is_of_comfy(member: Any) -> bool:
    """Not what a module merely imported: typing's names, torch's Tensor …"""
    return not (
        isinstance(member, type) and member.__module__.split(".")[0] in ("torch", "typing", "types", "collections")
    )


def _sampler(name: str) -> Iterator[str]:
    module = sys.modules.get("comfy.k_diffusion.sampling")
    if module is None:
        return
    if module.__dict__.get("torch") is not torch:
        yield "comfy.k_diffusion.sampling.torch"
    samplers = sys.modules.get("comfy.samplers")
    leaves_out = WITHOUT_PENULTIMATE if samplers is None else samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS
    if (name in leaves_out) != (name in WITHOUT_PENULTIMATE):
        yield "comfy.samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS"
    function = module.__dict__.get("sample_euler" if name == "ddim" else f"sample_{name}")
    if function is not None and not is_ours(function):
        yield f"comfy.k_diffusion.sampling.sample_{name}"


def _scheduler(name: str) -> Iterator[str]:
    module = sys.modules.get("comfy.samplers")
    handlers = {} if module is None else module.__dict__["SCHEDULER_HANDLERS"]
    if name in handlers and not is_ours(handlers[name].handler):
        yield f"comfy.samplers.SCHEDULER_HANDLERS[{name!r}]"


def _methods(owner: type) -> Iterator[Any]:
    for each in vars(owner).values():
        if isinstance(each, property):
            yield from (part for part in (each.fget, each.fset) if part is not None)
        elif isinstance(each, classmethod | staticmethod):
            yield each.__func__
        elif isinstance(each, FunctionType):
            yield each


def _is_made(function: FunctionType) -> bool:
    """Whether a named tuple or dataclass made it."""
    file = function.__code__.co_filename
    return file.startswith("<") or (file.startswith(PYTHON) and "site-packages" not in file)
