"""How much memory a device has left, and whether an error means that it has none."""

import gc
import os
from pathlib import Path

import torch

UNKNOWN = 1 << 62
"""What `free` answers where nobody can tell: as much as you like."""

CPU_WORK = 1 << 30
"""Bytes of activations that are worked on at once on a CPU, however much is free: more makes it no faster, and nobody
can stop it within a layer. (Measured 2026-11-22 on two cores: the longest layers of Stable Diffusion 1's UNet and VAE
take 0.6 s with this much.)"""

CGROUP = Path("/sys/fs/cgroup")
"""Where a container sees its own limits."""

_MESSAGES = (
    "out of memory",  # CUDA, MPS, ROCm
    "can't allocate memory",  # the CPU allocator on Linux and macOS
    "not enough memory",  # the CPU allocator on Windows
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Does this error mean that a device had no room left? Work may then be tried in smaller pieces."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error).lower() for message in _MESSAGES)


def free(device: torch.device) -> int:
    """Bytes that can still be allocated on a device without pushing anything out."""
    if device.type == "cuda":
        available, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return available + cached
    if device.type == "mps":
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return _free_ram() if device.type == "cpu" else UNKNOWN


def room_for_work(device: torch.device, share: float) -> int:
    """Bytes of activations to work on at once: a share of what is free, on a CPU no more than is useful."""
    room = int(free(device) * share)
    return min(room, CPU_WORK) if device.type == "cpu" else room


def release_unused(device: torch.device) -> None:
    """Gives memory that torch holds in reserve back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def readable(size: float) -> str:
    """A number of bytes as people say it: 4.2 GiB."""
    for unit in ("bytes", "KiB", "MiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _free_ram() -> int:
    return min(_free_of_machine(), _free_of_container(CGROUP))


def _free_of_container(folder: Path) -> int:
    """What a container may still take: the machine may have more. Pages of files, which the system drops, are free.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst (memory.max, memory.current, memory.stat).
    """
    try:
        limit, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        files = int(stat["active_file"]) + int(stat["inactive_file"])
        return UNKNOWN if limit == "max" else max(0, int(limit) - int(used) + files)
    except (OSError, ValueError, KeyError):
        return UNKNOWN  # no container, or one of the older kind


def _free_of_machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return UNKNOWN
