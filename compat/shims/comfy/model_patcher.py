"""ComfyUI's MODEL: a model with changes that apply while it is loaded, cheap to clone.

The same class is around text encoders, autoencoders, control networks and plugins' own modules.
"""

import logging
import uuid
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor

import comfy.float
import comfy.hooks
from comfy.patcher_extension import CallbacksMP, WrappersMP, copy_nested_dicts
from compat.missing import missing
from compat.patcher import dotted
from compat.patcher.extensions import ExtensionsSide
from compat.patcher.hooked import HooksSide
from compat.patcher.objects import ObjectsSide
from compat.patcher.options import (
    OptionsSide,
    create_model_options_clone,
    set_model_options_patch_replace,
    set_model_options_post_cfg_function,
    set_model_options_pre_cfg_function,
)
from compat.patcher.weights import WeightsSide, string_to_seed

__all__ = [
    "CoreModelPatcher",
    "LowVramPatch",
    "ModelPatcher",
    "WrappersMP",
    "create_model_options_clone",
    "get_key_weight",
    "set_model_options_patch_replace",
    "set_model_options_post_cfg_function",
    "set_model_options_pre_cfg_function",
    "string_to_seed",
    "wipe_lowvram_weight",
]

log = logging.getLogger(__name__)


class ModelPatcher(OptionsSide, ExtensionsSide, HooksSide, ObjectsSide, WeightsSide):
    """A module with changes of its weights, objects and options. Clones share the module and what is backed up."""

    def __init__(
        self,
        model: Any,
        load_device: Any,
        offload_device: Any,
        size: int = 0,
        weight_inplace_update: bool = False,
    ) -> None:
        self.size = size
        self.model = model
        self.load_device = load_device
        self.offload_device = offload_device
        self.weight_inplace_update = weight_inplace_update
        self.patches = {}
        self.backup = {}
        self.object_patches = {}
        self.object_patches_backup = {}
        self.former = {}
        self.weight_wrapper_patches = {}
        self.model_options: dict[str, Any] = {"transformer_options": {}}
        self.patches_uuid = uuid.uuid4()
        self.parent: ModelPatcher | None = None
        self.force_cast_weights = False
        self.is_clip = False
        self.deltas = WeakValueDictionary()
        self.attachments = {}
        self.additional_models = {}
        self.callbacks = CallbacksMP.init_callbacks()
        self.wrappers = WrappersMP.init_wrappers()
        self.injections = {}
        self.is_injected = False
        self.skip_injection = False
        self._set_up_hooks()
        for name, usual in (
            ("device", offload_device),
            ("model_loaded_weight_memory", 0),
            ("model_lowvram", False),
            ("lowvram_patch_counter", 0),
            ("current_weight_patches_uuid", None),
        ):
            if not hasattr(model, name):
                setattr(model, name, usual)

    @property
    def nbytes(self) -> int:
        """What it takes of a result cache's budget: the tensors of its patches. The model is its keeper's business."""
        tensors = [part for entries in self.patches.values() for entry in entries for part in _tensors(entry[1])]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def clone(self) -> Any:
        """A patcher of the same model with the same changes, to which more may be added."""
        n = self.__class__(
            self.model,
            self.load_device,
            self.offload_device,
            self.model_size(),
            weight_inplace_update=self.weight_inplace_update,
        )
        n.patches = {name: list(entries) for name, entries in self.patches.items()}
        n.patches_uuid = self.patches_uuid
        n.object_patches = self.object_patches.copy()
        n.weight_wrapper_patches = {name: list(each) for name, each in self.weight_wrapper_patches.items()}
        n.model_options = create_model_options_clone(self.model_options)
        n.parent = self
        n.backup, n.deltas = self.backup, self.deltas
        n.object_patches_backup, n.former = self.object_patches_backup, self.former
        n.force_cast_weights = self.force_cast_weights
        n.is_clip = self.is_clip
        for key, attachment in self.attachments.items():
            is_own = hasattr(attachment, "on_model_patcher_clone")
            n.attachments[key] = attachment.on_model_patcher_clone() if is_own else attachment
        n.additional_models = {key: [each.clone() for each in models] for key, models in self.additional_models.items()}
        n.callbacks = copy_nested_dicts(self.callbacks)
        n.wrappers = copy_nested_dicts(self.wrappers)
        n.injections = {key: list(each) for key, each in self.injections.items()}
        n.is_injected = self.is_injected
        n.skip_injection = self.skip_injection
        self._copy_hooks_to(n)
        for callback in self.get_all_callbacks(CallbacksMP.ON_CLONE):
            callback(self, n)
        return n

    def is_clone(self, other: Any) -> bool:
        """Whether both are about the same module."""
        return hasattr(other, "model") and self.model is other.model

    def clone_has_same_weights(self, clone: Any) -> bool:
        """Whether both want the same weights."""
        return self.is_clone(clone) and self.patches_uuid == clone.patches_uuid and self.injections == clone.injections

    def model_size(self) -> int:
        """Bytes of the module's weights."""
        if self.size <= 0:
            residence = self.residence
            self.size = residence.size if residence is not None else _module_size(self.model)
        return self.size

    def loaded_size(self) -> int:
        """Bytes of it that are on the device now."""
        residence = self.residence
        return residence.loaded_size if residence is not None else self.model.model_loaded_weight_memory

    def get_free_memory(self, device: Any) -> int:
        """Bytes free on a device."""
        from comfy import model_management

        free: int = model_management.get_free_memory(device)
        return free

    def is_dynamic(self) -> bool:
        """Whether weights come in part by part while the model works; here they come all at once."""
        return False

    def lowvram_patch_counter(self) -> int:
        """How many weights are patched only when they are used: none, as all come to the device patched."""
        counted: int = self.model.lowvram_patch_counter
        return counted

    def memory_required(self, input_shape: Any) -> float:
        """About how many bytes the model needs at work on a batch of this shape."""
        needed: float = self.model.memory_required(input_shape=input_shape)
        return needed

    def model_dtype(self) -> torch.dtype | None:
        """The number format the model computes in; None for a module that does not say."""
        return self.model.get_dtype() if hasattr(self.model, "get_dtype") else None

    def set_model_compute_dtype(self, dtype: torch.dtype) -> None:
        """Another number format to compute in."""
        self.add_object_patch("manual_cast_dtype", dtype)
        if dtype is not None:
            self.force_cast_weights = True
        self.patches_uuid = uuid.uuid4()

    def current_loaded_device(self) -> Any:
        """Where the model is."""
        return self.model.device

    def patch_model(
        self,
        device_to: Any = None,
        lowvram_model_memory: int = 0,
        load_weights: bool = True,
        force_patch_weights: bool = False,
    ) -> Any:
        """Puts objects and weights in, and what plugins inject. Returns: the model."""
        with self.use_ejected():
            self._put_objects_in()
            if load_weights:
                self.load(device_to, lowvram_model_memory, force_patch_weights=force_patch_weights, full_load=True)
        self.inject_model()
        return self.model

    def unpatch_model(self, device_to: Any = None, unpatch_weights: bool = True) -> None:
        """Takes objects out, and with unpatch_weights gives the weights back as they were."""
        self.eject_model()
        if unpatch_weights:
            self.unpatch_hooks()
            self._take_off(device_to, keeps_weights=False)
            self.model.current_weight_patches_uuid = None
            if device_to is not None:
                self.model.device = device_to
        self._take_objects_out()

    def partially_load(self, device_to: Any, extra_memory: int = 0, force_patch_weights: bool = False) -> int:
        """Brings the model in (all of it). Returns: how many bytes came."""
        with self.use_ejected(skip_and_inject_on_exit_only=True):
            before = self.loaded_size()
            known = self.model.current_weight_patches_uuid
            if known is not None and (known != self.patches_uuid or force_patch_weights):
                self.unpatch_hooks()
                self._take_off(None, keeps_weights=True)
                self.model.current_weight_patches_uuid = None
            self._take_objects_out()
            self.patch_model(load_weights=False)
            self.load(device_to, extra_memory, force_patch_weights=force_patch_weights, full_load=True)
            return self.loaded_size() - before

    def partially_unload(self, device_to: Any, memory_to_free: int = 0, **kwargs: Any) -> int:
        """Sends the model away (all of it). Returns: how many bytes became free."""
        before = self.loaded_size()
        self.unpatch_model(device_to)
        return before - self.loaded_size()

    def detach(self, unpatch_all: bool = True) -> Any:
        """Lets the model leave the device. Returns: the model."""
        self.eject_model()
        self.model_patches_to(self.offload_device)
        if unpatch_all:
            self.unpatch_model(self.offload_device, unpatch_weights=True)
        for callback in self.get_all_callbacks(CallbacksMP.ON_DETACH):
            callback(self, unpatch_all)
        return self.model

    def pre_run(self) -> None:
        """Before sampling."""
        for callback in self.get_all_callbacks(CallbacksMP.ON_PRE_RUN):
            callback(self)

    def prepare_state(self, timestep: Any, *args: Any) -> None:
        """Before each evaluation."""
        for callback in self.get_all_callbacks(CallbacksMP.ON_PREPARE_STATE):
            callback(self, timestep)

    def cleanup(self) -> None:
        """After sampling."""
        self.clean_hooks()
        if hasattr(self.model, "current_patcher"):
            self.model.current_patcher = None
        for callback in self.get_all_callbacks(CallbacksMP.ON_CLEANUP):
            callback(self)

    def state_dict_for_saving(
        self, clip_state_dict: Any = None, vae_state_dict: Any = None, clip_vision_state_dict: Any = None
    ) -> dict[str, Tensor]:
        """The tensors of a checkpoint, this model's patches worked in."""
        residence = self.residence
        if residence is None:
            saved: dict[str, Tensor] = self.model.state_dict_for_saving(
                clip_state_dict, vae_state_dict, clip_vision_state_dict
            )
            return saved
        worked_in = {**residence.weights()}
        for name in self.engine_patches():
            key = residence.prefix + name
            entries = self.patches.get(key, [])
            plain = worked_in[key]
            changed = self.calculate_weight(entries, plain.to(residence.device, torch.float32, copy=True), key)
            worked_in[key] = comfy.float.stochastic_rounding(changed, plain.dtype, seed=string_to_seed(key))
        parts = {name.removeprefix("diffusion_model."): tensor for name, tensor in worked_in.items()}
        stored = self.model.diffusion_model
        with _Saying(stored, parts):
            saved = self.model.state_dict_for_saving(clip_state_dict, vae_state_dict, clip_vision_state_dict)
        return dict(saved)


class _Saying:
    """While the block lasts a module's `state_dict` says this."""

    def __init__(self, module: Any, tensors: dict[str, Tensor]) -> None:
        self.module, self.tensors = module, tensors

    def __enter__(self) -> None:
        vars(self.module)["state_dict"] = lambda *args, **kwargs: self.tensors

    def __exit__(self, *error: Any) -> None:
        vars(self.module).pop("state_dict", None)


CoreModelPatcher = ModelPatcher


class LowVramPatch:
    """Patches of one weight as a function, for layers that cast their weights when they are called."""

    def __init__(self, key: str, patches: dict[str, Any], convert_func: Any = None, set_func: Any = None) -> None:
        self.key, self.patches = key, patches
        self.convert_func, self.set_func = convert_func, set_func

    def __call__(self, weight: Tensor) -> Tensor:
        """The weight with its patches."""
        from comfy import lora

        plain = weight.float() if self.convert_func is None else self.convert_func(weight.float(), inplace=False)
        changed: Tensor = lora.calculate_weight(self.patches[self.key], plain.clone(), self.key)
        return changed.to(weight.dtype)


def get_key_weight(model: Any, key: str) -> tuple[Any, Any, Any]:
    """A weight, and the functions its layer has for setting and converting it (None where it has none)."""
    head, _, last = key.rpartition(".")
    owner = dotted.get(model, head) if head else model
    return getattr(owner, last), getattr(owner, f"set_{last}", None), getattr(owner, f"convert_{last}", None)


def wipe_lowvram_weight(m: Any) -> None:
    """Takes the functions of a layer's weights away."""
    if hasattr(m, "prev_comfy_cast_weights"):
        m.comfy_cast_weights = m.prev_comfy_cast_weights
        del m.prev_comfy_cast_weights
    for name in ("weight_function", "bias_function"):
        if hasattr(m, name):
            setattr(m, name, [])


def _module_size(module: Any) -> int:
    return sum(tensor.nelement() * tensor.element_size() for tensor in module.state_dict().values())


def _tensors(patch: Any) -> list[Tensor]:
    if isinstance(patch, Tensor):
        return [patch]
    if isinstance(patch, tuple | list):
        return [tensor for part in patch for tensor in _tensors(part)]
    return _tensors(getattr(patch, "weights", ())) if not isinstance(patch, str | dict) else []


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
