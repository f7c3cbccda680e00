"""Which number formats parts are kept and computed in, in ComfyUI's words; `comfy.model_management` offers them."""

from collections.abc import Sequence
from typing import Any

import torch
from comfy.cli_args import args
from torch import Tensor, nn

from compat.host import host
from engine.devices.device import PartKind

FLOATS = (torch.float16, torch.bfloat16, torch.float32)
FLOAT8_TYPES = [torch.float8_e4m3fn, torch.float8_e5m2]


def _is(device: Any, kind: str) -> bool:
    return getattr(device, "type", None) == kind


def _fits(wanted: torch.dtype, supported: Sequence[torch.dtype]) -> torch.dtype:
    """The wanted format where it is supported, else the first that is."""
    return wanted if not supported or wanted in supported else supported[0]


def _computes_in(kind: PartKind, stored: torch.dtype | None) -> torch.dtype:
    return host().loader.devices.place(kind, stored or torch.float32).dtype


def unet_dtype(
    device: Any = None,
    model_params: int = 0,
    supported_dtypes: Sequence[torch.dtype] = FLOATS,
    weight_dtype: torch.dtype | None = None,
) -> torch.dtype:
    """The format that a denoiser's weights are kept in: the one it computes in."""
    if device is not None and _is(torch.device(device), "cpu") and host().settings.unet_precision == "auto":
        return _fits(torch.float32, supported_dtypes)
    return _fits(_computes_in("network", weight_dtype), supported_dtypes)


def unet_manual_cast(
    weight_dtype: torch.dtype | None, inference_device: Any, supported_dtypes: Sequence[torch.dtype] = FLOATS
) -> torch.dtype | None:
    """The format to compute in where it is another than the weights'; None where it is the same."""
    if weight_dtype in (torch.float32, torch.float64):
        return None
    usable = [*(() if _is(inference_device, "cpu") else host().loader.devices.half), torch.float32]
    if weight_dtype in usable:
        return None
    return next((each for each in usable if each in supported_dtypes), torch.float32)


def text_encoder_dtype(device: Any = None) -> torch.dtype:
    """The format that text encoders compute in."""
    return _computes_in("text", None)


def vae_dtype(device: Any = None, allowed_dtypes: Sequence[torch.dtype] = ()) -> torch.dtype:
    """The format that autoencoders compute in."""
    return _fits(_computes_in("vae", None), [*allowed_dtypes, torch.float32] if allowed_dtypes else ())


def should_use_fp16(
    device: Any = None, model_params: int = 0, prioritize_performance: bool = True, manual_cast: bool = False
) -> bool:
    """Whether a device computes well in float16."""
    return _should_use(torch.float16, device)


def should_use_bf16(
    device: Any = None, model_params: int = 0, prioritize_performance: bool = True, manual_cast: bool = False
) -> bool:
    """Whether a device computes well in bfloat16."""
    return _should_use(torch.bfloat16, device)


def _should_use(dtype: torch.dtype, device: Any) -> bool:
    if _is(device, "cpu") or args.force_fp32:
        return False
    return dtype in host().loader.devices.half or (dtype == torch.float16 and bool(args.force_fp16))


def supports_dtype(device: Any, dtype: torch.dtype | None) -> bool:
    """Whether a device computes in a format at all."""
    return dtype == torch.float32 or (dtype in FLOATS and not _is(device, "cpu"))


def supports_cast(device: Any, dtype: torch.dtype | None) -> bool:
    """Whether a device can hold a format and turn it into another."""
    return dtype in FLOATS or (dtype in FLOAT8_TYPES and not _is(device, "mps"))


def supports_fp8_compute(device: Any = None) -> bool:
    """Whether a device multiplies in 8 bits: NVIDIA's since Ada (compute capability 8.9)."""
    device = torch.device(device) if device is not None else host().loader.devices.main
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 9)


def pick_weight_dtype(dtype: torch.dtype | None, fallback_dtype: torch.dtype, device: Any = None) -> torch.dtype:
    """The format for weights: the given one, unless it is larger than the fallback or the device cannot hold it."""
    if dtype is None or dtype_size(dtype) > dtype_size(fallback_dtype) or not supports_cast(device, dtype):
        return fallback_dtype
    return dtype


def dtype_size(dtype: torch.dtype) -> int:
    """Bytes of one number."""
    return dtype.itemsize


def module_size(module: nn.Module) -> int:
    """Bytes of a network's weights."""
    return sum(each.nelement() * each.element_size() for each in module.state_dict().values())


def cast_to(
    weight: Tensor,
    dtype: torch.dtype | None = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    stream: Any = None,
) -> Tensor:
    """A tensor in another format or on another device; the same one where nothing changes and no copy is asked for."""
    if stream is not None:
        with torch.cuda.stream(stream):
            return cast_to(weight, dtype, device, non_blocking, copy)
    return weight.to(
        device=weight.device if device is None else device,
        dtype=weight.dtype if dtype is None else dtype,
        non_blocking=non_blocking,
        copy=copy,
    )


def cast_to_device(tensor: Tensor, device: Any, dtype: torch.dtype | None, copy: bool = False) -> Tensor:
    """The same with the arguments in another order."""
    return cast_to(tensor, dtype, device, _is(device, "cuda"), copy)
