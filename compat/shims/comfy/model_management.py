"""ComfyUI's `comfy.model_management`: which device does what, what is on it, and whether a prompt was stopped.

Networks that our own nodes loaded are kept by the engine's keeper; the list here is of what plugins wrapped into
patchers themselves. Making room asks both. Every function is looked up on this module when it is called, so that a
plugin which puts another in its place is heard.
"""

import gc
import threading
from collections.abc import Sequence
from enum import Enum
from typing import Any

import torch

from comfy.cli_args import args
from compat.host import host, is_installed
from compat.machine.formats import (  # plugins look for all of these here
    FLOAT8_TYPES,  # noqa: F401
    cast_to,  # noqa: F401
    cast_to_device,  # noqa: F401
    dtype_size,  # noqa: F401
    module_size,  # noqa: F401
    pick_weight_dtype,  # noqa: F401
    should_use_bf16,  # noqa: F401
    should_use_fp16,  # noqa: F401
    supports_cast,  # noqa: F401
    supports_dtype,  # noqa: F401
    supports_fp8_compute,  # noqa: F401
    text_encoder_dtype,  # noqa: F401
    unet_dtype,  # noqa: F401
    unet_manual_cast,  # noqa: F401
    vae_dtype,  # noqa: F401
)
from compat.machine.kinds import (
    cpu_mode,  # noqa: F401
    current_stream,  # noqa: F401
    device_should_use_non_blocking,  # noqa: F401
    device_supports_non_blocking,  # noqa: F401
    flash_attention_enabled,  # noqa: F401
    force_upcast_attention_dtype,  # noqa: F401
    get_autocast_device,  # noqa: F401
    is_amd,  # noqa: F401
    is_directml_enabled,  # noqa: F401
    is_intel_xpu,  # noqa: F401
    is_nvidia,  # noqa: F401
    mps_mode,  # noqa: F401
    pytorch_attention_enabled,  # noqa: F401
    pytorch_attention_enabled_vae,  # noqa: F401
    pytorch_attention_flash_attention,  # noqa: F401
    sage_attention_enabled,  # noqa: F401
    synchronize,  # noqa: F401
    xformers_enabled,  # noqa: F401
    xformers_enabled_vae,  # noqa: F401
)
from compat.machine.loaded import LoadedModel
from compat.missing import missing
from engine.devices import memory, report
from engine.devices.device import CPU, Devices
from engine.errors import Cancelled


class VRAMState(Enum):
    """How eagerly a GPU's memory is used."""

    DISABLED = 0
    NO_VRAM = 1
    LOW_VRAM = 2
    NORMAL_VRAM = 3
    HIGH_VRAM = 4
    SHARED = 5


class CPUState(Enum):
    """What computes."""

    GPU = 0
    CPU = 1
    MPS = 2


_STATES = {
    "gpu-only": VRAMState.HIGH_VRAM,
    "highvram": VRAMState.HIGH_VRAM,
    "lowvram": VRAMState.LOW_VRAM,
    "novram": VRAMState.NO_VRAM,
}

lowvram_available = True
total_vram = 0.0
total_ram = 0.0
XFORMERS_IS_AVAILABLE = False
XFORMERS_VERSION = ""
XFORMERS_ENABLED_VAE = False
ENABLE_PYTORCH_ATTENTION = True
FORCE_FP16 = False
FORCE_FP32 = False
DISABLE_SMART_MEMORY = False
directml_enabled = False
xpu_available = False
in_training = False

MIN_WEIGHT_MEMORY_RATIO = 0.0
"""How much of a device weights keep at least: none, as parts come and go as wholes here."""

_WORKING_ROOM = 1 << 30  # bytes; as engine.values.WORKING_ROOM

OOM_EXCEPTION = torch.OutOfMemoryError
"""What torch raises when a device is full."""

InterruptProcessingException = Cancelled
"""Raised to end a prompt silently; the engine's own word for it, so that its executor reports "interrupted"."""


def __getattr__(name: str) -> Any:
    """What depends on the process: vram_state, set_vram_to, cpu_state; any other name is one we do not have."""
    if name in ("vram_state", "set_vram_to"):
        return _vram_state()
    if name == "cpu_state":
        kind = get_torch_device().type
        return {"cpu": CPUState.CPU, "mps": CPUState.MPS}.get(kind, CPUState.GPU)
    raise missing(__name__, name)


def _vram_state() -> VRAMState:
    if get_torch_device().type == "cpu":
        return VRAMState.DISABLED
    if get_torch_device().type == "mps":
        return VRAMState.SHARED
    return _STATES.get(host().settings.memory, VRAMState.NORMAL_VRAM)


# ------------------------------------------------------------------------------------------------------------ devices


def _devices() -> Devices:
    return host().loader.devices if is_installed() else Devices()


def get_torch_device() -> torch.device:
    """The device that denoisers run on."""
    return _devices().main


def get_torch_device_name(device: Any) -> str:
    """What a device is called, for people."""
    device = torch.device(device)
    return f"{device} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else str(device)


def get_all_torch_devices(exclude_current: bool = False) -> list[torch.device]:
    """Every device of this machine that could run a denoiser."""
    kind = get_torch_device().type
    found = (
        [torch.device(kind, i) for i in range(torch.cuda.device_count())] if kind == "cuda" else [get_torch_device()]
    )
    return [each for each in found if not exclude_current or each != get_torch_device()]


def _stays() -> bool:
    """Whether weights rest on the device they run on."""
    return is_installed() and host().settings.memory in ("gpu-only", "highvram")


def unet_offload_device() -> torch.device:
    """Where a denoiser's weights rest."""
    return get_torch_device() if _stays() else CPU


def unet_inital_load_device(parameters: int, dtype: torch.dtype) -> torch.device:
    """Where a denoiser's weights are put when they are read."""
    return unet_offload_device()


def text_encoder_device() -> torch.device:
    """The device that text encoders run on."""
    return get_torch_device()


def text_encoder_offload_device() -> torch.device:
    """Where a text encoder's weights rest."""
    return get_torch_device() if args.gpu_only else CPU


def text_encoder_initial_device(load_device: torch.device, offload_device: torch.device, model_size: int = 0) -> Any:
    """Where a text encoder's weights are put when they are read."""
    return offload_device


def vae_device() -> torch.device:
    """The device that autoencoders run on: that of denoisers, where nobody wanted another."""
    ours = _devices()
    return get_torch_device() if ours.vae == ours.main else ours.vae


def vae_offload_device() -> torch.device:
    """Where an autoencoder's weights rest."""
    return vae_device() if args.gpu_only else CPU


def intermediate_device() -> torch.device:
    """Where pictures and latents between nodes are."""
    return get_torch_device() if args.gpu_only else CPU


def intermediate_dtype() -> torch.dtype:
    """The number format of pictures and latents between nodes."""
    return torch.float32


def is_device_type(device: Any, type: str) -> bool:
    """Whether a device is of this type."""
    return getattr(device, "type", None) == type


def is_device_cpu(device: Any) -> bool:
    """Whether this is a CPU."""
    return is_device_type(device, "cpu")


def is_device_mps(device: Any) -> bool:
    """Whether this is an Apple GPU."""
    return is_device_type(device, "mps")


def is_device_cuda(device: Any) -> bool:
    """Whether this is a CUDA device."""
    return is_device_type(device, "cuda")


# ------------------------------------------------------------------------------------------------------------- memory


def get_total_memory(dev: Any = None, torch_total_too: bool = False) -> Any:
    """Bytes that a device has; with torch_total_too also those that torch holds."""
    total, held, _ = report.sizes(torch.device(dev) if dev is not None else get_torch_device())
    return (total, held) if torch_total_too else total


def get_free_memory(dev: Any = None, torch_free_too: bool = False) -> Any:
    """Bytes that can still be had on a device; with torch_free_too also those that torch holds unused."""
    device = torch.device(dev) if dev is not None else get_torch_device()
    free = memory.free(device)
    return (free, report.sizes(device)[2]) if torch_free_too else free


def extra_reserved_memory() -> int:
    """Bytes that are left to other programs."""
    return _devices().reserve


def minimum_inference_memory() -> int:
    """Bytes that a denoiser's own work takes at least."""
    return _WORKING_ROOM + extra_reserved_memory()


def maximum_vram_for_weights(device: Any = None) -> int:
    """Bytes that weights may take on a device."""
    return max(0, int(get_total_memory(device)) - minimum_inference_memory())


def soft_empty_cache(force: bool = False) -> None:
    """Gives memory that torch holds unused back to the device."""
    memory.release_unused(get_torch_device())


def raise_non_oom(error: BaseException) -> None:
    """Raises: the error, unless it says that a device is full."""
    if not memory.is_out_of_memory(error):
        raise error


# ------------------------------------------------------------------------------------------------------ loaded models


current_loaded_models: list[LoadedModel] = []
_loading = threading.RLock()


def loaded_models(only_currently_used: bool = False) -> list[Any]:
    """The patchers on any device, the last used first."""
    wanted = [each.model for each in current_loaded_models if each.currently_used or not only_currently_used]
    return [each for each in wanted if each is not None]


def load_model_gpu(model: Any) -> None:
    """Brings one patcher to its device."""
    load_models_gpu([model])


def load_models_gpu(
    models: Sequence[Any],
    memory_required: float = 0,
    force_patch_weights: bool = False,
    minimum_memory_required: float | None = None,
    force_full_load: bool = False,
) -> None:
    """Brings patchers, and those that their patches need, to their devices with their patches on.

    memory_required: bytes that the work itself will take there.
    """
    wanted = _with_companions(models)
    with _loading:
        mine = [_entry(each) for each in wanted]
        for each in current_loaded_models:
            each.currently_used = each in mine
        for device in dict.fromkeys(each.device for each in mine):
            here = [each for each in mine if each.device == device]
            size = sum(each.model_memory_required(device) for each in here)
            free_memory(size + max(memory_required, minimum_memory_required or 0), device, keep_loaded=here)
        for each in mine:
            each.model_load(force_patch_weights=force_patch_weights)
            if each in current_loaded_models:
                current_loaded_models.remove(each)
            current_loaded_models.insert(0, each)


def _with_companions(models: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    waiting = [*models]
    while waiting:
        each = waiting.pop(0)
        if not any(each is known for known in found):
            found.append(each)
            waiting += each.model_patches_models() if hasattr(each, "model_patches_models") else []
    return found


def _entry(model: Any) -> LoadedModel:
    """What is known of a patcher. A clone takes the place of the one it was made from: they share the network."""
    for each in [*current_loaded_models]:
        if each.model is model:
            return each
        if each.device == model.load_device and _is_of(each, model):
            current_loaded_models.remove(each)
    return LoadedModel(model)


def _is_of(entry: LoadedModel, model: Any) -> bool:
    """Whether an entry is about a patcher's network."""
    return model.model is entry.real_model if entry.is_dead() else bool(model.is_clone(entry.model))


def free_memory(memory_required: float, device: Any, keep_loaded: Sequence[Any] = ()) -> list[LoadedModel]:
    """Lets others leave a device until so many bytes are free there. Returns: the patchers' entries that left.

    keep_loaded: entries or patchers that must stay.
    """
    device = torch.device(device)
    host().loader.keeper.free_room(device, int(min(memory_required, memory.UNKNOWN)))
    return _let_leave(device, memory_required, keep_loaded)


def _let_leave(device: torch.device, size: float, keep: Sequence[Any] = ()) -> list[LoadedModel]:
    left = []
    with _loading:
        for each in reversed([*current_loaded_models]):
            lacking = size - memory.free(device)
            if lacking <= 0:
                break
            # ComfyUI: what nobody holds a patcher of cannot be let go; its memory is whose who holds the network.
            if each.device != device or each.is_dead() or any(each is kept or each.model is kept for kept in keep):
                continue
            if each.model_unload(lacking):
                current_loaded_models.remove(each)
                left.append(each)
    if left:
        soft_empty_cache()
    return left


def make_room(device: torch.device, size: int) -> None:
    """Lets patchers that nobody uses leave; asked by the engine's keeper."""
    _let_leave(device, memory.free(device) + size, [each for each in current_loaded_models if each.currently_used])


def unload_all_models() -> None:
    """Lets every network leave, ours and plugins'."""
    with _loading:
        while current_loaded_models:
            current_loaded_models.pop().model_unload()
    host().loader.keeper.send_all_away()
    soft_empty_cache()


def unload_model_clones(model: Any, unload_weights_only: bool = True, force_unload: bool = True) -> bool:
    """Lets the clones of a patcher leave. Returns: whether there were any."""
    with _loading:
        clones = [each for each in current_loaded_models if _is_of(each, model)]
        for each in clones:
            each.model_unload()
            current_loaded_models.remove(each)
    return bool(clones)


def cleanup_models_gc() -> None:
    """Collects what nobody refers to any more, and forgets it."""
    gc.collect()
    cleanup_models()
    soft_empty_cache()


def cleanup_models() -> None:
    """Forgets entries whose patcher is gone, or on no device any more."""
    with _loading:
        current_loaded_models[:] = [each for each in current_loaded_models if each.model_loaded_memory() > 0]


# -------------------------------------------------------------------------------------------------------- interrupting

interrupt_processing_mutex = threading.RLock()
interrupt_processing = False


def interrupt_current_processing(value: bool = True) -> None:
    """Asks the prompt that is running to stop; False takes that back."""
    with interrupt_processing_mutex:
        globals()["interrupt_processing"] = value


def processing_interrupted() -> bool:
    """Whether somebody asked the prompt to stop: a plugin, or the user."""
    run = host().run if is_installed() else None
    return interrupt_processing or (run is not None and run.is_cancelled())


def throw_exception_if_processing_interrupted() -> None:
    """Raises: Cancelled, when somebody asked the prompt to stop; a plugin's wish is spent by that."""
    run = host().run if is_installed() else None
    if run is not None:
        run.stop_if_cancelled()
    with interrupt_processing_mutex:
        if interrupt_processing:
            interrupt_current_processing(False)
            raise InterruptProcessingException
