"""ComfyUI's LoRA: which weight each entry of a file means, and what patches do to a weight.

`calculate_weight` is looked up here for every weight, as plugins put their own in its place to add kinds of patches.
"""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from comfy.weight_adapter import WeightAdapterBase, adapter_of
from compat import lora_names
from compat.missing import missing
from engine.adapters.entries import Entries
from engine.devices.deltas import Difference, Replacement

log = logging.getLogger(__name__)


def load_lora(lora: Mapping[str, Tensor], to_load: Mapping[str, Any], log_missing: bool = True) -> dict[Any, Any]:
    """The changes in a file, by the weight they are for.

    `to_load` maps the file's names to weights, as `model_lora_keys_unet` and `_clip` make it.
    """
    entries = Entries(lora)
    found: dict[Any, Any] = {}
    for name, target in to_load.items():
        if not entries.has(name):
            continue
        before = set(entries.used)
        # A target may be a weight's name, or a tuple that names a part of one.
        weight = target if isinstance(target, str) else "a part"
        for key, delta in entries.deltas(name, weight).items():
            found[target if key == weight else key] = _patch(delta, entries.used - before)
    if log_missing:
        for name in lora:
            if name not in entries.used:
                log.warning("lora key not loaded: %s", name)
    return found


def _patch(delta: Any, used: set[str]) -> Any:
    if isinstance(delta, Difference):
        return "diff", (delta.difference,)
    if isinstance(delta, Replacement):
        return "set", (delta.weight,)
    return adapter_of(delta, used)


def model_lora_keys_unet(model: Any, key_map: dict[str, Any] | None = None) -> dict[str, Any]:
    """How files may call each weight of a denoiser, and the weight's name in the model."""
    found = {} if key_map is None else key_map
    found.update(lora_names.of_unet(model))
    return found


def model_lora_keys_clip(model: Any, key_map: dict[str, Any] | None = None) -> dict[str, Any]:
    """How files may call each weight of a text encoder, and the weight's name in the encoder."""
    found = {} if key_map is None else key_map
    found.update(lora_names.of_clip(model))
    return found


def pad_tensor_to_shape(tensor: Tensor, new_shape: Any) -> Tensor:
    """The tensor with zeros behind it, in a larger shape. Raises: ValueError, for a smaller one."""
    if any(new < old for new, old in zip(new_shape, tensor.shape, strict=True)):
        raise ValueError(f"expected a shape at least as large as {list(tensor.shape)}, got {list(new_shape)}")
    larger = tensor.new_zeros(new_shape)
    larger[tuple(slice(0, size) for size in tensor.shape)] = tensor
    return larger


def calculate_weight(
    patches: list[Any],
    weight: Tensor,
    key: str,
    intermediate_dtype: torch.dtype = torch.float32,
    original_weights: Mapping[str, Any] | None = None,
) -> Tensor:
    """A weight with patches, each (strength, patch, strength of the weight, offset, function), the first first.

    A patch is an adapter, (kind, values), (difference,), or a list: another weight with patches of its own.
    """
    for strength, patch, strength_model, offset, function in patches:
        whole = None
        if offset is not None:
            whole, weight = weight, weight.narrow(*offset).clone()
        if strength_model != 1.0:
            weight = weight * strength_model
        weight = _patched(
            weight, key, strength, strength_model, patch, function, intermediate_dtype, original_weights, offset
        )
        if whole is not None:
            weight = _put_back(whole, weight, offset, key)
    return weight


def _patched(
    weight: Tensor,
    key: str,
    strength: float,
    strength_model: float,
    patch: Any,
    function: Any,
    dtype: torch.dtype,
    originals: Mapping[str, Any] | None,
    offset: Any,
) -> Tensor:
    through = function or (lambda change: change)
    if isinstance(patch, WeightAdapterBase) or hasattr(patch, "calculate_weight"):
        changed = patch.calculate_weight(
            weight, key, strength, strength_model, offset, function, dtype, _original(originals, key)
        )
        if changed is None:
            log.warning("the patch %s does nothing to %s", type(patch).__name__, key)
            return weight
        done: Tensor = changed
        return done
    if isinstance(patch, list):
        patch = (_merged(patch, weight, key, dtype, originals),)
    kind, values = ("diff", patch) if len(patch) == 1 else patch
    if kind == "diff":
        return _difference(weight, key, strength, values, through)
    if kind == "set":
        replacement: Tensor = values[0]
        return replacement.to(weight)
    if kind == "model_as_lora":
        original = _original(originals, key)
        change = values[0].to(weight) - (weight if original is None else original.to(weight))
        return weight + through(strength * change)
    log.warning("patch type not recognized: %s %s", kind, key)
    return weight


def _merged(patch: list[Any], weight: Tensor, key: str, dtype: torch.dtype, originals: Any) -> Tensor:
    """Another model's weight with that model's patches."""
    (other, convert), *theirs = patch
    plain = convert(other.to(device=weight.device, dtype=dtype, copy=True), inplace=True)
    return calculate_weight(theirs, plain, key, intermediate_dtype=dtype, original_weights=originals)


def _difference(weight: Tensor, key: str, strength: float, values: Any, through: Any) -> Tensor:
    difference = values[0]
    if len(values) > 1 and values[1].get("pad_weight", False) and difference.shape != weight.shape:
        log.info("%s is padded from %s to %s", key, list(weight.shape), list(difference.shape))
        weight = pad_tensor_to_shape(weight, difference.shape)
    if strength == 0.0:
        return weight
    if difference.shape != weight.shape:
        log.warning(
            "a difference of shape %s does not fit %s %s and is left out",
            list(difference.shape),
            key,
            list(weight.shape),
        )
        return weight
    return weight + through(strength * difference.to(weight))


def _put_back(whole: Tensor, part: Tensor, offset: Any, key: str) -> Tensor:
    place = whole.clone()
    if part.shape != place.narrow(*offset).shape:
        log.warning("a change of a part of %s has another shape than the part and is left out", key)
        return whole
    place.narrow(*offset).copy_(part)
    return place


def _original(originals: Mapping[str, Any] | None, key: str) -> Any:
    """A weight as it was before any patch: the first of what get_key_patches says of it."""
    return None if originals is None or key not in originals else originals[key][0][0]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
