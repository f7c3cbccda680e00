"""GET /system_stats and /features: what this server is, and how its workers are."""

import asyncio
import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

import engine
from engine.workers.outside.pool import WorkerState
from server import keys
from server.events import features
from server.files import template_packs
from server.protocol.system import ComputerInfo, DeviceInfo, SystemStats, WorkerInfo

COMFYUI_VERSION = "0.38.1"
"""The version whose protocol is spoken here. Source: protocol.md."""

OLDEST_FRONTEND = "1.27.10"
"""The oldest web page that was tried. Source: protocol.md, section 6."""


async def system_stats(request: web.Request) -> web.Response:
    """The computer, its devices and the workers; answered before any worker is there."""
    workers = request.app[keys.POOL].workers
    memory = memory_now()
    await asyncio.to_thread(template_packs.installed)
    answer: SystemStats = {
        "system": system(workers, memory, request.app[keys.SETTINGS].token),
        "devices": devices(workers) or [cpu(memory)],
        "latentwire": {
            "version": engine.__version__,
            "workers": [worker(each) for each in workers],
            "queue_remaining": request.app[keys.JOBS].remaining,
        },
    }
    return web.json_response(answer)


async def server_features(request: web.Request) -> web.Response:
    """What clients may rely on; the same that the socket announces."""
    ours = features.server_flags(request.app[keys.SETTINGS])
    return web.json_response({**request.app[keys.CATALOGUE].features, **ours})


def memory_now() -> tuple[int, int]:
    """Bytes of memory there are, and free. Inside a container without limits of its own: the computer's."""
    import psutil  # here, so that importing the application stays quick

    memory = psutil.virtual_memory()
    return memory.total, memory.available


def system(workers: Iterable[WorkerState], memory: tuple[int, int], token: str | None) -> ComputerInfo:
    """The computer and its programs. A worker knows which PyTorch it runs; until one has said so it is unknown."""
    said: dict[str, Any] = {}
    for each in workers:
        said.update({name: value for name, value in each.system.items() if isinstance(value, str)})
    return {
        "os": sys.platform,
        "ram_total": memory[0],
        "ram_free": memory[1],
        "comfyui_version": COMFYUI_VERSION,
        "required_frontend_version": OLDEST_FRONTEND,
        "installed_templates_version": template_packs.installed().version,
        "required_templates_version": None,
        "python_version": said.get("python_version", sys.version),
        "pytorch_version": said.get("pytorch_version", "unknown"),
        "embedded_python": False,
        "argv": [each.replace(token, "***") if token else each for each in sys.argv],
    }


def devices(workers: Iterable[WorkerState]) -> list[DeviceInfo]:
    """What the workers draw on. A worker sees its own GPU only, as number 0, so they are numbered anew; the processor
    is the same for all of them."""
    told = [_device(each) for state in workers for each in state.devices]
    gpus = [each for each in told if each["type"] != "cpu"]
    processor = [each for each in told if each["type"] == "cpu"][:1]
    numbered: list[DeviceInfo] = [{**each, "index": number} for number, each in enumerate(gpus)]
    return [*numbered, *processor]


def _device(told: Mapping[str, Any]) -> DeviceInfo:
    """A device with every field that clients read."""
    index = told.get("index")
    return {
        "name": str(told.get("name", "unknown")),
        "type": str(told.get("type", "cpu")),
        "index": index if isinstance(index, int) else None,
        "vram_total": _whole(told.get("vram_total")) or 1,  # clients divide by it
        "vram_free": _whole(told.get("vram_free")),
        "torch_vram_total": _whole(told.get("torch_vram_total")),
        "torch_vram_free": _whole(told.get("torch_vram_free")),
    }


def _whole(value: Any) -> int:
    return max(int(value), 0) if isinstance(value, int | float) and math.isfinite(value) else 0


def cpu(memory: tuple[int, int]) -> DeviceInfo:
    """The processor as a device, while no worker has told of another."""
    total, free = max(memory[0], 1), memory[1]
    return {
        "name": "cpu",
        "type": "cpu",
        "index": None,
        "vram_total": total,
        "vram_free": free,
        "torch_vram_total": total,
        "torch_vram_free": free,
    }


def worker(state: WorkerState) -> WorkerInfo:
    """A worker as people see it; what it said about devices and programs stands elsewhere."""
    return {
        "name": state.name,
        "state": state.state,
        "pid": state.pid,
        "job": state.job,
        "memory": state.memory,
        "restarts": state.restarts,
        "message": state.message,
    }


ROUTES = (web.get("/system_stats", system_stats), web.get("/features", server_features))
