"""A whole server whose worker never gets ready: jobs wait, and the test itself says what becomes of them."""

import copy
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from engine.graph import describe
from engine.settings import Settings
from server import keys
from server.compose import compose
from server.jobs.job import Item, Job, NewEvent, Output, Span, State
from server.settings import ServerSettings
from tests.engine.graph.drawn import TYPES
from tests.server.client import Client

WORKER = [sys.executable, "-c", "import sys; sys.stdin.buffer.read()"]

PROMPT: dict[str, Any] = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 1,
            "steps": 20,
            "cfg": 8.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
            "model": ["4", 0],
            "positive": ["6", 0],
            "negative": ["7", 0],
            "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "icons.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "cat"}},
}
"""Seven nodes that draw a picture; `quiet` has the model file."""

_FILES = {"CheckpointLoaderSimple": {"ckpt_name": ["checkpoints"]}, "LoadImage": {"image": ["input"]}}
_CHECKS = {"LoadImage": ("image_exists", ["image"]), "SaveImage": ("prefix_stays_inside", ["filename_prefix"])}


def prompt(**changes: Any) -> dict[str, Any]:
    """PROMPT, with other inputs: prompt(_3={"cfg": 2.0})."""
    made = copy.deepcopy(PROMPT)
    for node, inputs in changes.items():
        made[node[1:]]["inputs"].update(inputs)
    return made


def snapshot() -> dict[str, Mapping[str, Any]]:
    """ComfyUI's core nodes as a worker would describe them."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, node_type in TYPES.items():
        check, inputs = _CHECKS.get(name, ("", []))
        entry = describe.snapshot(replace(node_type, file_check=check, validate_inputs=tuple(inputs)))
        entry[describe.FLAGS]["files"] = _FILES.get(name, {})
        found[name] = entry
    return found


@asynccontextmanager
async def quiet(
    folder: Path, types: Mapping[str, Mapping[str, Any]] | None = None, **serving: Any
) -> AsyncIterator[Client]:
    """The server, with its files in a folder and these node types (ComfyUI's core nodes, unless others are given).

    serving: its settings.
    """
    checkpoints = folder / "models" / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    (checkpoints / "icons.safetensors").touch()
    app = compose(
        Settings(base_directory=folder), ServerSettings(**serving), worker=lambda index: WORKER, versions="quiet"
    )
    app[keys.NODE_TYPES].replace(snapshot() if types is None else types)
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield client


async def run(client: Client, job: str, state: State = State.SUCCEEDED, *shown: Output, **end: Any) -> Job:
    """A waiting job runs and ends."""
    jobs = client.app[keys.JOBS]
    await jobs.start(job, "worker-0")
    events: list[Item] = [NewEvent("execution_start", {"prompt_id": job})]
    await jobs.record(job, events, shown)
    messages = [("execution_start", {"prompt_id": job}), (f"execution_{state}", {"prompt_id": job})]
    await jobs.finish(job, state, [], **{"messages": messages, "spans": [Span("3", "KSampler", 1.0, 2.5, "3")], **end})
    found = await jobs.get(job)
    assert found is not None
    return found
