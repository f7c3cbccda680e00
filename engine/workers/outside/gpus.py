"""Which GPUs there are, asked without torch, and how a worker is shown only its own."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")
PATIENCE = 2.0
"""Seconds for nvidia-smi, which can hang with a broken driver."""


def visible(environ: Mapping[str, str] | None = None, driver: Path = DRIVER) -> list[str]:
    """The GPUs CUDA would find, by the names CUDA_VISIBLE_DEVICES knows them by.

    May take as long as nvidia-smi is given, where the driver does not list them itself.
    """
    wanted = (os.environ if environ is None else environ).get("CUDA_VISIBLE_DEVICES")
    if wanted is not None and not _listed(wanted, limit=None):
        return []
    present = _present(driver)
    if wanted is None:
        return [str(index) for index in range(present)]
    return _listed(wanted, limit=present) if present else []


def gpu_count() -> int:
    """How many GPUs CUDA would find."""
    return len(visible())


def worker_environment(
    index: int, count: int, environ: Mapping[str, str] | None = None, driver: Path = DRIVER
) -> dict[str, str]:
    """The variables that show worker `index` of `count` its GPU; more workers than GPUs share them in turn."""
    gpus = visible(environ, driver) if count > 1 else []
    if len(gpus) < 2:
        return {}
    return {"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]}


def _listed(wanted: str, limit: int | None) -> list[str]:
    """The GPUs a list names; like CUDA, it ends at the first that is none."""
    names: list[str] = []
    for name in (each.strip() for each in wanted.split(",")):
        by_number = name.isdigit() and (limit is None or int(name) < limit)
        if not (by_number or name.startswith(("GPU-", "MIG-"))) or name in names:
            break
        names.append(name)
    return names


def _present(driver: Path) -> int:
    try:
        return sum(1 for _ in driver.iterdir())
    except OSError:
        return _told_by_nvidia_smi()


def _told_by_nvidia_smi() -> int:
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        listed = subprocess.run(
            [program, "--list-gpus"], capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
