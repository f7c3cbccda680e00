"""The program as people start it, with a plugin that draws on all of it."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

import main
from engine.settings import Settings
from server import keys
from server.compose import compose
from server.settings import ServerSettings
from tests.compat.plugins.conftest import PATIENCE, Write, asked, plugins, ran

USES = """
import threading
import comfy.model_management
import comfy.samplers
import comfy.utils
import execution
import folder_paths
import nodes
from server import PromptServer

class Uses:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"width": ("INT", {"default": 64, "max": nodes.MAX_RESOLUTION})}}
    RETURN_TYPES = ()
    FUNCTION = "go"
    OUTPUT_NODE = True
    CATEGORY = "test"
    def go(self, width):
        bar = comfy.utils.ProgressBar(2)
        bar.update(1)
        latent = nodes.NODE_CLASS_MAPPINGS["EmptyLatentImage"]().generate(width, width)[0]
        bar.update(1)
        return {"ui": {"told": [list(latent["samples"].shape), PromptServer.instance.last_node_id]}}

class Breaks:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}
    RETURN_TYPES = ("INT",)
    FUNCTION = "go"
    CATEGORY = "test"
    def go(self):
        threading.Timer(1.0, comfy.model_management.interrupt_current_processing).start()
        return (3,)
NODE_CLASS_MAPPINGS = {"Uses": Uses, "Breaks": Breaks}
"""


@pytest.mark.slow
def test_a_plugin_works_in_the_worker_that_the_program_starts(tmp_path: Path, write: Write) -> None:
    write("uses.py", USES)
    settings = Settings(base_directory=tmp_path / "base", cpu=True)

    async def look() -> None:
        command = main._worker_command(settings)
        app = compose(settings, ServerSettings(), worker=command, versions=main._versions(settings))
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:
            async with asyncio.timeout(PATIENCE):
                while app[keys.POOL].workers[0].state != "idle":
                    await asyncio.sleep(0.05)
            assert (await plugins(client))["uses"]["state"] == "loaded", await plugins(client)
            assert "Uses" in await asked(client, "/object_info")
            entry = await ran(client, {"7": {"class_type": "Uses", "inputs": {"width": 64}}})
            assert entry["outputs"]["7"]["told"] == [[1, 4, 8, 8], "7"], entry["status"]
            drawn = json.loads((Path(main.__file__).parent / "workflows" / "text_to_image.json").read_text())
            drawn["1"] = {"class_type": "Breaks", "inputs": {}}
            drawn["3"]["inputs"] |= {"seed": ["1", 0], "steps": 10000}
            entry = await ran(client, drawn)
            assert entry["status"]["messages"][-1][0] == "execution_interrupted", entry["status"]
            drawn["3"]["inputs"] |= {"seed": 3, "steps": 2}
            del drawn["1"]
            assert (await ran(client, drawn))["status"]["status_str"] == "success"

    asyncio.run(look())


def test_kept_node_types_are_of_no_use_once_a_plugin_has_changed(tmp_path: Path, write: Write) -> None:
    file = write("uses.py", USES)
    settings = Settings(base_directory=tmp_path / "base", cpu=True)
    before = main._versions(settings)
    assert main._versions(settings) == before
    file.write_text(USES + "\n")
    assert main._versions(settings) != before
