"""The side of a ModelPatcher that changes weights: kept as ComfyUI's patches, put on while the model is loaded.

A model that stands on a part of the engine's gets its weights made anew from those at rest, with a delta for each
patch; any other module is patched in place, and its former weights are kept in `backup`.
"""

import logging
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import comfy.float
import comfy.lora
import torch
from comfy.patcher_extension import CallbacksMP
from comfy.weight_adapter import EngineAdapter
from torch import Tensor, nn

from compat.originals import is_ours
from compat.patcher import dotted
from compat.residence import Residence, residence_of
from engine.devices.patches import Patch, Patches

log = logging.getLogger(__name__)

Entry = tuple[float, Any, float, Any, Any]
"""strength_patch, the patch, strength_model, offset (dim, start, length), function."""


def string_to_seed(data: str) -> int:
    """A number for a text: CRC 32."""
    return zlib.crc32(data.encode())


class Backup(NamedTuple):
    """A weight before it was patched, and whether it was patched in place."""

    weight: Tensor
    inplace_update: bool


@dataclass(frozen=True, eq=False)
class AuthorsDelta:
    """One of ComfyUI's patches as a delta of the engine's; computed by whatever calculate_weight is at the time."""

    entry: Entry
    key: str
    patcher: Any
    originals: Any = None

    reshapes = True

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        """The changed weight; authors may change what they are given, so they are given a copy."""
        return self.patcher.calculate_weight([self.entry], weight.clone(), self.key)


class WeightsSide:
    """Patches of weights, by the name of the weight in `model`."""

    model: Any
    patches: dict[str, list[Entry]]
    backup: dict[str, Any]
    weight_wrapper_patches: dict[str, list[Any]]
    patches_uuid: uuid.UUID
    weight_inplace_update: bool
    offload_device: Any
    deltas: WeakValueDictionary[int, Patch]
    """Patches that somebody holds, by the entry that they were made of, which they hold in turn."""

    @property
    def residence(self) -> Residence | None:
        """Where the model's weights live, when the engine keeps them."""
        return residence_of(self.model)

    def add_patches(
        self, patches: Mapping[Any, Any], strength_patch: float = 1.0, strength_model: float = 1.0
    ) -> list[Any]:
        """Adds a change for each of these weights: W · strength_model + change · strength_patch.

        Returns: those of the keys that are weights of this model.
        """
        known = self.model.state_dict().keys()
        accepted = []
        for key, patch in patches.items():
            name, offset, function = _address(key)
            if name in known:
                accepted.append(key)
                entry = (strength_patch, patch, strength_model, offset, function)
                self.patches[name] = [*self.patches.get(name, []), entry]
        self.patches_uuid = uuid.uuid4()
        return accepted

    def add_weight_wrapper(self, name: str, function: Any) -> None:
        """A function that a weight goes through."""
        self.weight_wrapper_patches[name] = [*self.weight_wrapper_patches.get(name, []), function]
        self.patches_uuid = uuid.uuid4()

    def get_key_patches(self, filter_prefix: str | None = None) -> dict[str, list[Any]]:
        """Each weight without patches, then its patches: what merging feeds to `add_patches`."""
        plain = {} if self.residence is None else self.residence.weights()
        found: dict[str, list[Any]] = {}
        for key, weight in self.model_state_dict(filter_prefix).items():
            original = plain.get(key, self.backup[key].weight if key in self.backup else weight)
            found[key] = [(original, _as_it_is), *self.patches.get(key, [])]
        return found

    def model_state_dict(self, filter_prefix: str | None = None) -> dict[str, Tensor]:
        """The weights as they are now, without what plugins injected."""
        with self.use_ejected():  # type: ignore[attr-defined]
            tensors: dict[str, Tensor] = self.model.state_dict()
        return {k: v for k, v in tensors.items() if filter_prefix is None or k.startswith(filter_prefix)}

    def calculate_weight(
        self, patches: list[Any], weight: Tensor, key: str, intermediate_dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """The weight with these patches, by the function that is comfy.lora.calculate_weight now."""
        changed: Tensor = comfy.lora.calculate_weight(
            patches, weight, key, intermediate_dtype=intermediate_dtype, original_weights=self._original(key)
        )
        return changed

    def _original(self, key: str) -> dict[str, list[Any]] | None:
        """A weight as it is without any patches, for changes that are differences to that."""
        residence = self.residence
        if residence is not None and key.startswith(residence.prefix):
            plain = residence.part.weights.get(key[len(residence.prefix) :])
        else:
            plain = self.backup[key].weight if key in self.backup else None
        return None if plain is None else {key: [(plain, _as_it_is)]}

    def patch_weight_to_device(self, key: str, device_to: Any = None, inplace_update: bool = False) -> None:
        """Puts one weight's patches on, in the module itself."""
        if key not in self.patches:
            return
        weight: Tensor = dotted.get(self.model, key)
        inplace = self.weight_inplace_update or inplace_update
        if key not in self.backup:
            self.backup[key] = Backup(weight.to(self.offload_device, copy=inplace), inplace)
        temporary = weight.detach().to(device=device_to or weight.device, dtype=torch.float32, copy=True)
        changed = self.calculate_weight(self.patches[key], temporary, key)
        rounded = comfy.float.stochastic_rounding(changed, weight.dtype, seed=string_to_seed(key))
        if inplace:
            weight.data.copy_(rounded)
        else:
            dotted.put(self.model, key, nn.Parameter(rounded, requires_grad=False))

    def engine_patches(self, further: Mapping[str, list[Entry]] | None = None) -> Patches:
        """The patches (and further ones, such as those of hooks) as the engine takes them."""
        residence = self.residence
        if residence is None:
            return {}
        found: dict[str, tuple[Patch, ...]] = {}
        for entries in (self.patches, further or {}):
            for key, each in entries.items():
                if key.startswith(residence.prefix):
                    name = key[len(residence.prefix) :]
                    found[name] = (*found.get(name, ()), *(self._delta(key, entry) for entry in each))
        for key, functions in self.weight_wrapper_patches.items():
            if key.startswith(residence.prefix):
                name = key[len(residence.prefix) :]
                found[name] = (*found.get(name, ()), *(Patch(_Through(function)) for function in functions))
        return found

    def _delta(self, key: str, entry: Entry) -> Patch:
        """The same patch for the same entry, so that weights that have it already are not made again."""
        strength, patch, strength_model, offset, function = entry
        is_plain = isinstance(patch, EngineAdapter) and _is_calculated_by_us(self)
        if is_plain and strength_model == 1.0 and offset is None and function is None:
            return patch.as_patch(strength)
        known = self.deltas.get(id(entry))
        if known is None:
            known = self.deltas[id(entry)] = Patch(AuthorsDelta(entry, key, self))
        return known

    def _put_on(self, device_to: Any) -> None:
        """Brings the weights to the device and puts the patches on."""
        residence = self.residence
        if residence is not None:
            residence.bring(self.engine_patches())
            self.model.model_loaded_weight_memory = residence.loaded_size
            return
        for key in self.patches:
            self.patch_weight_to_device(key, device_to)
        for key, functions in self.weight_wrapper_patches.items():
            _extend_functions(self.model, key, functions)
        if device_to is not None and hasattr(self.model, "to"):
            self.model.to(device_to)
        self.model.model_loaded_weight_memory = self.model_size()  # type: ignore[attr-defined]

    def _take_off(self, device_to: Any, keeps_weights: bool) -> None:
        """Gives the weights back as they were, and lets them leave unless `keeps_weights`."""
        residence = self.residence
        if residence is not None:
            if keeps_weights:
                residence.take_off()
            elif device_to is not None:
                residence.send_away()
            else:
                residence.take_off()
                residence.release()
        for key, kept in self.backup.items():
            if kept.inplace_update:
                dotted.get(self.model, key).data.copy_(kept.weight)
            else:
                weight = kept.weight
                dotted.put(self.model, key, weight if isinstance(weight, nn.Parameter) else nn.Parameter(weight, False))
        self.backup.clear()
        for key, functions in self.weight_wrapper_patches.items():
            if residence is None:
                _remove_functions(self.model, key, functions)
        if residence is None and device_to is not None and hasattr(self.model, "to"):
            self.model.to(device_to)
        self.model.model_loaded_weight_memory = 0 if residence is None else residence.loaded_size

    def load(
        self,
        device_to: Any = None,
        lowvram_model_memory: int = 0,
        force_patch_weights: bool = False,
        full_load: bool = False,
    ) -> None:
        """The weights come to the device with their patches on. Everything comes: parts of a model do not stay back."""
        with self.use_ejected():  # type: ignore[attr-defined]
            self.unpatch_hooks()  # type: ignore[attr-defined]
            self._put_on(device_to)
            self.model.device = device_to if device_to is not None else self.model.device
            self.model.current_weight_patches_uuid = self.patches_uuid
            for callback in self.get_all_callbacks(CallbacksMP.ON_LOAD):  # type: ignore[attr-defined]
                callback(self, device_to, lowvram_model_memory, force_patch_weights, full_load)
            self.apply_hooks(self.forced_hooks, force_apply=True)  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class _Through:
    """A plugin's function that a weight goes through, as a delta."""

    function: Any
    reshapes = True

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        changed: Tensor = self.function(weight.clone())
        return changed


def _is_calculated_by_us(patcher: Any) -> bool:
    """Whether nobody put a function of their own in the place of those that patch a weight."""
    return is_ours(comfy.lora.calculate_weight) and is_ours(type(patcher).calculate_weight)


def _as_it_is(weight: Tensor, **kwargs: Any) -> Tensor:
    return weight


def _address(key: Any) -> tuple[str, Any, Any]:
    """The weight's name, which part of it, and the function its change goes through."""
    if isinstance(key, str):
        return key, None, None
    return key[0], key[1] if len(key) > 1 else None, key[2] if len(key) > 2 else None


def _functions_of(model: nn.Module, key: str) -> list[Any] | None:
    head, _, last = key.rpartition(".")
    found: list[Any] | None = getattr(dotted.get(model, head), f"{last}_function", None)
    return found


def _extend_functions(model: nn.Module, key: str, functions: list[Any]) -> None:
    there = _functions_of(model, key)
    if there is None:
        log.warning("%s takes no functions for its weights; use the layers of comfy.ops", key)
    else:
        there.extend(each for each in functions if each not in there)


def _remove_functions(model: nn.Module, key: str, functions: list[Any]) -> None:
    there = _functions_of(model, key)
    if there is not None:
        there[:] = [each for each in there if each not in functions]
