"""What clients are told of this machine's devices, in the words of /system_stats."""

import sys
from typing import Any

import torch

from engine.devices import memory
from engine.devices.device import Devices


def system() -> dict[str, Any]:
    """The versions that a picture may depend on."""
    return {"python_version": sys.version, "pytorch_version": torch.__version__, "os": sys.platform}


def devices(used: Devices) -> list[dict[str, Any]]:
    """Every device that parts of models run on, the denoiser's first.

    Units: bytes. `vram_free` is what can still be allocated, `torch_…` what torch holds and has free of that; on a CPU
    all of them are about the main memory.
    """
    return [_described(each) for each in dict.fromkeys((used.main, used.vae))]


def _described(device: torch.device) -> dict[str, Any]:
    total, held, held_free = sizes(device)
    return {
        "name": _name(device),
        "type": device.type,
        "index": device.index,
        "vram_total": total,
        "vram_free": held_free if device.type == "cpu" else memory.free(device),
        "torch_vram_total": held,
        "torch_vram_free": held_free,
    }


def _name(device: torch.device) -> str:
    return f"{device} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def sizes(device: torch.device) -> tuple[int, int, int]:
    """The bytes there are in all, those that torch holds, and those of them that nothing is in."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device)
        return torch.cuda.mem_get_info(device)[1], held, held - torch.cuda.memory_allocated(device)
    if device.type == "mps":
        held = torch.mps.driver_allocated_memory()
        return torch.mps.recommended_max_memory(), held, held - torch.mps.current_allocated_memory()
    import psutil  # here, because a run from the command line reports nothing

    main = psutil.virtual_memory()
    return main.total, main.total, main.available
