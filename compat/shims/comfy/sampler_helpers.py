"""ComfyUI's `comfy.sampler_helpers`: what is brought together before a run and let go of afterwards.

Conditionings become dictionaries, masks get the latent's shape, and every model that a run needs (ControlNets, GLIGEN,
what plugins attached) is loaded along with the one that draws.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

import comfy
from compat.missing import missing
from engine.sampling.fitting import fitted_mask
from engine.shapes import repeated_to_batch

Cond = dict[str, Any]
Conds = Mapping[str, Sequence[Cond]]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)


def convert_cond(cond: Sequence[Sequence[Any]]) -> list[Cond]:
    """A conditioning as the sampler's dictionaries: the options, and the text under `cross_attn`."""
    converted = []
    for tokens, options, *_ in cond:
        made = {**options, "model_conds": dict(options.get("model_conds", {})), "uuid": uuid.uuid4()}
        if tokens is not None:
            made["cross_attn"] = tokens
        converted.append(made)
    return converted


def prepare_mask(noise_mask: Tensor, shape: Sequence[int], device: torch.device) -> Tensor:
    """A mask of any size in the shape of a latent [B, C, …, h, w]."""
    batch, channels, *dims = shape
    mask = fitted_mask(noise_mask, (dims[-2], dims[-1])) if len(dims) > 1 else noise_mask.reshape(-1, 1, *dims)
    while mask.ndim < len(shape):
        mask = mask.unsqueeze(2)
    return repeated_to_batch(mask, batch).expand(batch, channels, *dims).contiguous().to(device)


def get_models_from_cond(cond: Iterable[Cond], model_type: str) -> list[Any]:
    """What conditions carry under a name, each once."""
    found: list[Any] = []
    for each in cond:
        given = each.get(model_type)
        many = given if isinstance(given, list) else [given]
        found.extend(one for one in many if one is not None and not any(one is other for other in found))
    return found


def get_hooks_from_cond(cond: Iterable[Cond], full_hooks: Any) -> Any:
    """The hooks of conditions and of their control objects, added to a group."""
    for each in cond:
        control: Any = each.get("control")
        further = control.get_extra_hooks() if hasattr(control, "get_extra_hooks") else []
        for group in (each.get("hooks"), *further):
            for hook in getattr(group, "hooks", ()):
                full_hooks.add(hook)
    return full_hooks


def get_additional_models(conds: Conds, dtype: torch.dtype) -> tuple[list[Any], int]:
    """The patchers of all models that conditions need, and the bytes those work in."""
    lists = list(conds.values())
    controls = _each_once(control for cond in lists for control in get_models_from_cond(cond, "control"))
    models = [model for control in controls for model in control.get_models()]
    memory = sum(control.inference_memory_requirements(dtype) for control in controls)
    models += [gligen[1] for cond in lists for gligen in get_models_from_cond(cond, "gligen")]
    models += [model for cond in lists for model in get_models_from_cond(cond, "additional_models")]
    return _each_once(models), int(memory)


def get_additional_models_from_model_options(model_options: Mapping[str, Any] | None = None) -> list[Any]:
    """The patchers that hooks in a model's options bring along."""
    hooks = (model_options or {}).get("registered_hooks")
    return [model for hook in getattr(hooks, "hooks", ()) for model in getattr(hook, "models", ())]


def cleanup_additional_models(models: Iterable[Any]) -> None:
    """Lets each that can clean up do so."""
    for model in models:
        if hasattr(model, "cleanup"):
            model.cleanup()


def prepare_sampling(
    model: Any, noise_shape: Sequence[int], conds: Conds, model_options: dict[str, Any] | None = None
) -> tuple[Any, Conds, list[Any]]:
    """Loads everything a run needs. Returns: the BaseModel, the conditions, and the further models."""
    options = {} if model_options is None else model_options
    extension = comfy.patcher_extension
    kind = extension.WrappersMP.PREPARE_SAMPLING
    wrappers = extension.get_all_wrappers(kind, options, is_model_options=True)
    executor = extension.WrapperExecutor.new_executor(_prepare_sampling, wrappers)
    found: tuple[Any, Conds, list[Any]] = executor.execute(model, noise_shape, conds, options)
    return found


def _prepare_sampling(
    model: Any, noise_shape: Sequence[int], conds: Conds, model_options: dict[str, Any] | None = None
) -> tuple[Any, Conds, list[Any]]:
    models, memory = get_additional_models(conds, model.model_dtype())
    models += get_additional_models_from_model_options(model_options)
    models += model.get_nested_additional_models()
    # Both signs at once is what is hoped for, one latent what must be possible.
    whole = model.memory_required([noise_shape[0] * 2, *noise_shape[1:]]) + memory
    least = model.memory_required([noise_shape[0], *noise_shape[1:]]) + memory
    comfy.model_management.load_models_gpu([model, *models], memory_required=whole, minimum_memory_required=least)
    return model.model, conds, models


def cleanup_models(conds: Conds, models: Iterable[Any]) -> None:
    """Lets models and control objects clean up after a run."""
    cleanup_additional_models(models)
    controls = [control for cond in conds.values() for control in get_models_from_cond(cond, "control")]
    cleanup_additional_models(_each_once(controls))


def cast_to_load_options(model_options: dict[str, Any], device: torch.device, dtype: torch.dtype | None = None) -> None:
    """Moves what the patches of a model hold (those with a `to`) to where the model is."""
    patches = model_options.get("transformer_options", {})
    for functions in patches.get("patches", {}).values():
        functions[:] = [_moved(each, device, dtype) for each in functions]
    for places in patches.get("patches_replace", {}).values():
        places.update({place: _moved(each, device, dtype) for place, each in places.items()})


def _moved(patch: Any, device: torch.device, dtype: torch.dtype | None) -> Any:
    if not hasattr(patch, "to"):
        return patch
    patch = patch.to(device)
    return patch if dtype is None else patch.to(dtype)


def _each_once(things: Iterable[Any]) -> list[Any]:
    """In their order; hooks and control objects are known by identity."""
    return list({id(each): each for each in things}.values())
