"""What kind of device does the work, and whose attention it is; `comfy.model_management` offers these answers.

What they ask each other is looked up there when it is asked, so that a plugin which puts another in its place is heard.
"""

from typing import Any

import comfy.model_management as management
import torch
from comfy.cli_args import args


def get_autocast_device(dev: Any) -> str:
    """The word for torch.autocast."""
    return str(getattr(dev, "type", "cuda"))


def is_nvidia() -> bool:
    """Whether denoisers run on an NVIDIA GPU."""
    return management.get_torch_device().type == "cuda" and bool(torch.version.cuda)


def is_amd() -> bool:
    """Whether denoisers run on an AMD GPU."""
    return management.get_torch_device().type == "cuda" and bool(torch.version.hip)


def is_intel_xpu() -> bool:
    """Whether denoisers run on an Intel GPU."""
    return management.get_torch_device().type == "xpu"


def is_directml_enabled() -> bool:
    """Whether DirectML is used; never here."""
    return management.directml_enabled


def cpu_mode() -> bool:
    """Whether denoisers run on the CPU."""
    return management.is_device_cpu(management.get_torch_device())


def mps_mode() -> bool:
    """Whether denoisers run on an Apple GPU."""
    return management.is_device_mps(management.get_torch_device())


def xformers_enabled() -> bool:
    """Whether attention is xformers'; never here, where it is torch's."""
    return management.XFORMERS_IS_AVAILABLE


def xformers_enabled_vae() -> bool:
    """The same for autoencoders."""
    return management.XFORMERS_ENABLED_VAE


def pytorch_attention_enabled() -> bool:
    """Whether attention is torch's own."""
    return management.ENABLE_PYTORCH_ATTENTION


def pytorch_attention_enabled_vae() -> bool:
    """The same for autoencoders."""
    return management.ENABLE_PYTORCH_ATTENTION


def pytorch_attention_flash_attention() -> bool:
    """Whether torch may choose its flash kernels."""
    return management.ENABLE_PYTORCH_ATTENTION and management.get_torch_device().type == "cuda"


def sage_attention_enabled() -> bool:
    """Whether attention is SageAttention's."""
    return False


def flash_attention_enabled() -> bool:
    """Whether attention is the flash-attn package's."""
    return False


def force_upcast_attention_dtype() -> dict[torch.dtype, torch.dtype] | None:
    """What attention is computed in, by the format of its input, where the user asked for that."""
    return {torch.float16: torch.float32} if args.force_upcast_attention else None


def device_supports_non_blocking(device: Any) -> bool:
    """Whether copies to a device may go on beside other work."""
    return management.is_device_cuda(device) and not args.deterministic


def device_should_use_non_blocking(device: Any) -> bool:
    """Whether copies do so unasked; they do not."""
    return False


def current_stream(device: Any) -> Any:
    """The queue that work for a device is put into; None where there is none."""
    return torch.cuda.current_stream(device) if management.is_device_cuda(device) else None


def synchronize() -> None:
    """Waits until the device has done its work."""
    if management.is_device_cuda(management.get_torch_device()):
        torch.cuda.synchronize()
