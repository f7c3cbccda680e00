"""What a worker computes on: which GPUs there are, asked without torch, and how workers share them and the cores."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")
PATIENCE = 2.0
"""Seconds for nvidia-smi, which can hang with a broken driver."""

SPINS = "1000"
"""So often a waiting thread of GNU OpenMP looks for work before it sleeps, instead of 300,000 times.

That is its own choice when its threads outnumber the cores, but it knows nothing of other processes: while one of
two cores was busy, 20 steps of workflows/text_to_image.json took 2.6-3.7 s, and with this 1.4-1.6 s; at a load
average of 4 it was 10.9 s and 1.8 s (medians). With both cores free it was 0.80 s and 0.83 s, and 0.88 s with
OMP_WAIT_POLICY=PASSIVE (2026-11).
"""


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
    index: int, count: int, environ: Mapping[str, str] | None = None, driver: Path = DRIVER, *, cpu: bool = False
) -> dict[str, str]:
    """The variables that show worker `index` of `count` its GPU, or its part of the cores.

    More workers than GPUs share them in turn. cpu: the GPUs are not to be used. What the user has set stays.
    """
    given = os.environ if environ is None else environ
    gpus = visible(given, driver) if count > 1 and not cpu else []
    if len(gpus) > 1:
        return {"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)], **_patience(given)}
    return _patience(given) if gpus else {**_patience(given), **_threads(count, given)}


def _threads(count: int, given: Mapping[str, str]) -> dict[str, str]:
    """As many threads as each of several workers has cores; torch would take them all in each."""
    if count < 2 or "OMP_NUM_THREADS" in given:
        return {}
    threads = str(max(1, _cores() // count))
    return {name: threads for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name not in given}


def _patience(given: Mapping[str, str]) -> dict[str, str]:
    """Threads that leave their core to others soon after they have nothing to do."""
    return {} if {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & given.keys() else {"GOMP_SPINCOUNT": SPINS}


def _cores() -> int:
    """Those this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
