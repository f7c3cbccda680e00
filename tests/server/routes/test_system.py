"""GET /system_stats and /features."""

import asyncio
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workers.outside.pool import WorkerState
from server.routes import system
from tests.server.client import Serve

FIELDS = {"name", "type", "index", "vram_total", "vram_free", "torch_vram_total", "torch_vram_free"}
GPU = {
    "name": "cuda:0 H100",
    "type": "cuda",
    "index": 0,
    "vram_total": 80,
    "vram_free": 70,
    "torch_vram_total": 9,
    "torch_vram_free": 1,
}
CPU = {
    "name": "cpu",
    "type": "cpu",
    "index": None,
    "vram_total": 16,
    "vram_free": 8,
    "torch_vram_total": 16,
    "torch_vram_free": 8,
}


def test_a_server_without_a_worker_answers_at_once_and_has_a_device(serve: Serve):
    async def scenario():
        async with serve(wait=False) as client, client.get("/api/system_stats") as answer:
            return answer.status, await answer.json()

    status, body = asyncio.run(scenario())
    assert status == 200
    assert set(body["system"]) == {
        "os",
        "ram_total",
        "ram_free",
        "comfyui_version",
        "required_frontend_version",
        "installed_templates_version",
        "required_templates_version",
        "python_version",
        "pytorch_version",
        "embedded_python",
        "argv",
    }
    assert set(body["devices"][0]) == FIELDS
    assert body["devices"][0]["vram_total"] > 0
    ours = body["latentwire"]
    assert set(ours) == {"version", "workers", "queue_remaining"}
    assert set(ours["workers"][0]) == {"name", "state", "pid", "job", "memory", "restarts", "message"}
    assert ours["queue_remaining"] == 0


def test_the_features_are_those_of_the_socket(serve: Serve):
    async def scenario():
        async with serve(wait=False, max_upload_size=5 << 20) as client, client.get("/features") as answer:
            return await answer.json()

    flags = asyncio.run(scenario())
    assert flags["max_upload_size"] == 5 << 20
    assert flags["supports_preview_metadata"] is True


def test_workers_tell_of_their_devices():
    workers = [WorkerState("worker-0", "idle", devices=[GPU, CPU]), WorkerState("worker-1", "busy", devices=[GPU, CPU])]
    assert system.devices(workers) == [GPU, {**GPU, "index": 1}, CPU]
    assert system.devices([WorkerState("worker-0", "starting")]) == []


def test_what_the_programs_are_comes_from_a_worker():
    told = WorkerState("worker-0", "idle", system={"pytorch_version": "2.6", "python_version": "3.12"})
    known = system.system([told], (2, 1), None)
    assert (known["pytorch_version"], known["python_version"]) == ("2.6", "3.12")
    unknown = system.system([], (2, 1), None)
    assert (unknown["pytorch_version"], unknown["python_version"]) == ("unknown", sys.version)


@pytest.mark.parametrize("argument", ["s3cret", "--token=s3cret"])
def test_the_token_is_not_among_the_arguments(monkeypatch, argument):
    monkeypatch.setattr(sys, "argv", ["main.py", "--token", argument])
    told = system.system([], (2, 1), "s3cret")["argv"]
    assert "s3cret" not in str(told)
    assert told[0] == "main.py"


JSON = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON), max_size=3))
def test_whatever_a_worker_says_devices_have_every_field(told):
    for device in system.devices([WorkerState("worker-0", "idle", devices=told)]):
        assert set(device) == FIELDS
        assert device["vram_total"] > 0
        assert json.loads(json.dumps(device, allow_nan=False)) == device
