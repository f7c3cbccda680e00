"""The engine as a worker uses it."""

import json
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from engine.graph.describe import read
from engine.graph.events import Event, Progress
from engine.graph.registry import Registry
from engine.settings import GIBIBYTE, Settings
from latentwire import Engine

ROOT = Path(__file__).resolve().parent.parent
PICTURE: dict[str, Any] = {
    "model": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "latentwire_icons.safetensors"}},
    "empty": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "decoded": {"class_type": "VAEDecode", "inputs": {"samples": ["empty", 0], "vae": ["model", 2]}},
    "shown": {"class_type": "PreviewImage", "inputs": {"images": ["decoded", 0]}},
}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(Settings(base_directory=tmp_path, cpu=True))


def test_an_engine_is_there_without_what_only_some_jobs_need_and_can_warm_up() -> None:
    code = (
        "import sys; from latentwire import Engine; engine = Engine()\n"
        "slow = {'transformers', 'scipy', 'torchsde', 'networkx', 'torch._dynamo'} & set(sys.modules)\n"
        "assert not slow, slow\n"
        "import threading; thread = threading.Thread(target=engine.warm_up); thread.start(); thread.join()\n"
        "assert 'transformers.models.clip.modeling_clip' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_node_types_can_be_told_to_another_process(engine: Engine) -> None:
    told = json.loads(json.dumps(engine.snapshot(), allow_nan=False))
    there = Registry(read(entry, engine.folders) for entry in told.values())
    assert {each.id for each in there} == {each.id for each in engine.registry}
    assert there["SaveImage"].validate is not None


def test_devices_are_described_as_system_stats_does(engine: Engine) -> None:
    (device,) = engine.devices()
    assert (device["name"], device["type"], device["index"]) == ("cpu", "cpu", None)
    assert 0 < device["vram_free"] <= device["vram_total"]
    assert 0 < device["torch_vram_free"] <= device["torch_vram_total"]
    assert engine.system()["python_version"] == sys.version
    assert "pytorch_version" in engine.system()


def test_a_prompt_is_checked_as_plain_data(engine: Engine) -> None:
    bad = {"1": {"class_type": "LoadImage", "inputs": {"image": "gone.png"}}}
    bad["2"] = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    size = {"width": "64", "height": 64, "batch_size": 1}
    good = {**PICTURE, "empty": {"class_type": "EmptyLatentImage", "inputs": size}}
    answer = json.loads(json.dumps(engine.check({**good, **bad})))
    assert answer["accepted"]
    assert answer["outputs"] == ["shown"]
    assert answer["error"] is None
    assert answer["prompt"]["empty"]["inputs"]["width"] == 64
    assert answer["node_errors"]["1"]["errors"][0]["details"] == "image - Invalid image file: gone.png"
    refused = engine.check(bad)
    assert (refused["accepted"], refused["outputs"]) == (False, [])
    assert refused["error"]["type"] == "prompt_outputs_failed_validation"
    assert engine.check({**good, **bad}, targets=["2"])["outputs"] == []


def test_memory_is_given_back_and_the_next_run_finds_its_way(engine: Engine) -> None:
    engine.load(PICTURE).run()
    (part,) = (weakref.ref(each) for each in engine.loader.keeper.here())
    engine.free(unload_models=True, free_memory=False)
    assert engine.loader.keeper.here() == []
    assert part() is None
    assert len(engine.cache) == 3  # what the other nodes made
    engine.free(unload_models=False, free_memory=True)
    assert len(engine.cache) == 0
    assert engine.load(PICTURE).run().status == "succeeded"


def test_each_worker_has_a_place_of_its_own_for_results_on_disk(tmp_path: Path) -> None:
    settings = Settings(base_directory=tmp_path, cpu=True, cache_disk=GIBIBYTE)
    for name in ("a", "b"):
        engine = Engine(settings, cache_folder=tmp_path / name)
        engine.load(PICTURE).run()
        engine.close()
        assert [*(tmp_path / name).iterdir()]
    assert not (tmp_path / "user" / "cache").exists()


def test_a_run_is_stopped_inside_a_network_and_the_next_one_is_not(engine: Engine) -> None:
    looks: list[str] = []

    def is_cancelled() -> bool:
        looks.append(threading.current_thread().name)
        return len(looks) > 6

    events: list[Event] = []
    assert engine.load(PICTURE).run(emit=events.append, is_cancelled=is_cancelled).status == "cancelled"
    assert not [each for each in events if isinstance(each, Progress)]
    assert engine.load(PICTURE).run().status == "succeeded"
