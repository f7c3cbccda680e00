"""Plugins imported again while the server runs, and what changes with them."""

import asyncio
from pathlib import Path

import pytest

from server.protocol.plugins import PluginsReloaded
from tests.compat.plugins.conftest import PATIENCE, ServePlugins, Write, asked, node, plugins, ran
from tests.server.shapes import misfit

pytestmark = pytest.mark.slow  # each test starts a worker, which imports torch


def test_a_reload_swaps_nodes_and_routes_and_keeps_the_rest(write: Write, serve_plugins: ServePlugins) -> None:
    write("changes/__init__.py", "from .inner import *\n")
    inner = write("changes/inner.py", _changing("'old'"))
    write("stays.py", node("Stays", "__import__('random').random()"))
    changing = {"1": {"class_type": "Changes", "inputs": {"value": 1}}}
    staying = {"1": {"class_type": "Stays", "inputs": {"value": 1}}}

    async def look() -> None:
        async with serve_plugins() as client:
            assert (await ran(client, changing))["outputs"]["1"]["told"] == ["old"]
            drawn = (await ran(client, staying))["outputs"]["1"]["told"]
            assert await asked(client, "/changes") == "old"
            inner.write_text(_changing("'new'"))
            answer = await asked(client, "/api/plugins/reload", json={})
            assert misfit(answer, PluginsReloaded) is None
            assert (answer["done"], answer["reloaded"]) == (True, ["changes"])
            assert await asked(client, "/changes") == "new"
            assert (await ran(client, changing))["outputs"]["1"]["told"] == ["new"], "the old result is not taken"
            assert (await ran(client, staying))["outputs"]["1"]["told"] == drawn, "other results are kept"

            inner.write_text("raise ValueError('half written')")
            await asked(client, "/api/plugins/reload", json={"name": "changes"})
            record = (await plugins(client))["changes"]
            assert record["state"] == "failed"
            assert "half written; what was loaded before stays" in record["error"]
            assert (await ran(client, changing))["outputs"]["1"]["told"] == ["new"]
            assert await asked(client, "/changes") == "new"

            write("comes.py", node("Comes"))
            inner.unlink()
            (inner.parent / "__init__.py").unlink()
            (inner.parent / "__init__.py").parent.rename(inner.parent.with_name("changes.disabled"))
            answer = await asked(client, "/api/plugins/reload", data="")
            assert set(answer["reloaded"]) >= {"changes", "comes"}
            types = await asked(client, "/object_info")
            assert "Comes" in types
            assert "Changes" not in types
            await asked(client, "/changes", 404)
            await asked(client, "/api/plugins/reload", 404, json={"name": "nobody"})

    asyncio.run(look())


def _changing(told: str) -> str:
    return f"""
from aiohttp import web
from server import PromptServer
@PromptServer.instance.routes.get("/changes")
async def changes(request):
    return web.json_response({told})
{node("Changes", told)}
"""


BLOCKS = """
import time
from aiohttp import web
from server import PromptServer

@PromptServer.instance.routes.get("/blocks")
async def blocks(request):
    time.sleep(9)
    return web.json_response("at last")
"""


def test_a_route_that_blocks_keeps_nothing_but_the_reload_waiting_and_is_named(
    write: Write, serve_plugins: ServePlugins
) -> None:
    write("blocks.py", BLOCKS + node("Blocks"))

    async def look() -> None:
        async with serve_plugins() as client:
            blocking = asyncio.create_task(asked(client, "/blocks"))
            await asyncio.sleep(0.5)
            told = (await asked(client, "/api/plugins/reload", 409, json={"name": "blocks"}))["error"]
            assert "GET /blocks" in told
            assert not blocking.done()
            entry = await ran(client, {"1": {"class_type": "Blocks", "inputs": {"value": 5}}})
            assert entry["outputs"]["1"]["told"] == [5], "the worker goes on with jobs"
            assert await blocking == "at last", "and the loop with requests"
            assert (await asked(client, "/api/plugins/reload", json={"name": "blocks"}))["reloaded"] == ["blocks"]

    asyncio.run(look())


def test_a_new_plugin_is_imported_by_its_name(write: Write, serve_plugins: ServePlugins) -> None:
    write("old.py", node("Old"))

    async def look() -> None:
        async with serve_plugins() as client:
            write("fresh/__init__.py", node("Fresh"))
            answer = await asked(client, "/api/plugins/reload", json={"name": "fresh"})
            assert (answer["done"], answer["reloaded"]) == (True, ["fresh"])
            assert "Fresh" in await asked(client, "/object_info")
            await asked(client, "/api/plugins/reload", 404, json={"name": "fres"})

    asyncio.run(look())


def test_files_that_change_are_noticed(write: Write, serve_plugins: ServePlugins) -> None:
    file = write("changes.py", node("Changes", "'old'"))

    async def look() -> None:
        async with serve_plugins(watch_plugins=True) as client:
            await asyncio.sleep(1.5)
            file.write_text(node("Changes", "'newer'"))
            prompt = {"1": {"class_type": "Changes", "inputs": {"value": 1}}}
            async with asyncio.timeout(PATIENCE):
                while (await ran(client, prompt))["outputs"]["1"]["told"] != ["newer"]:
                    await asyncio.sleep(0.3)

    asyncio.run(look())


def test_a_reload_waits_for_the_job_that_runs(
    write: Write, serve_plugins: ServePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("slow.py", node("Slow", "__import__('time').sleep(3) or value"))
    monkeypatch.setattr("server.plugins.desk.RELOAD", 0.5)

    async def look() -> None:
        async with serve_plugins() as client:
            prompt = {"1": {"class_type": "Slow", "inputs": {"value": 7}}}
            running = asyncio.create_task(ran(client, prompt))
            await asyncio.sleep(1.0)
            answer = await asked(client, "/api/plugins/reload", 202, json={"name": "slow"})
            assert answer["done"] is False
            assert (await running)["outputs"]["1"]["told"] == [7]
            assert (await ran(client, {"1": {"class_type": "Slow", "inputs": {"value": 8}}}))["outputs"]

    asyncio.run(look())


def test_lists_that_authors_compute_are_read_anew(tmp_path: Path, write: Write, serve_plugins: ServePlugins) -> None:
    names = tmp_path / "names.txt"
    names.write_text("a")
    write(
        "lists.py",
        f"""
        class Lists:
            @classmethod
            def INPUT_TYPES(cls):
                return {{"required": {{"name": (open({str(names)!r}).read().split(),)}}}}
            RETURN_TYPES = ()
            FUNCTION = "go"
            OUTPUT_NODE = True
            CATEGORY = "test"
            def go(self, name):
                return {{"ui": {{"told": [name]}}}}
        NODE_CLASS_MAPPINGS = {{"Lists": Lists}}
        """,
    )

    async def look() -> None:
        async with serve_plugins() as client:
            assert (await asked(client, "/object_info/Lists"))["Lists"]["input"]["required"]["name"][0] == ["a"]
            await asyncio.sleep(1.1)
            names.write_text("a b")
            entry = await ran(client, {"1": {"class_type": "Lists", "inputs": {"name": "b"}}})
            assert entry["outputs"]["1"]["told"] == ["b"], "asked again before it is refused"
            names.write_text("a b c")
            await asyncio.sleep(1.1)
            assert (await asked(client, "/object_info"))["Lists"]["input"]["required"]["name"][0] == ["a", "b", "c"]

    asyncio.run(look())


def test_a_plugin_that_ends_the_process_when_it_is_imported_again_is_left_out(
    write: Write, serve_plugins: ServePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("turns.py", node("Turns"))
    write("good.py", node("Good"))

    async def look() -> None:
        async with serve_plugins() as client:
            file.write_text("import os\nos._exit(9)")
            answer = await asked(client, "/api/plugins/reload", 202, json={})
            assert answer["done"] is False
            async with asyncio.timeout(PATIENCE):
                while (await plugins(client))["turns"]["state"] != "crashed":
                    await asyncio.sleep(0.1)
            assert "exit code 9" in (await plugins(client))["turns"]["error"]
            entry = await ran(client, {"1": {"class_type": "Good", "inputs": {"value": 5}}})
            assert entry["outputs"] == {"1": {"told": [5]}}
            file.write_text(node("Turns"))
            assert (await asked(client, "/api/plugins/reload", json={}))["reloaded"] == ["turns"]
            assert "Turns" in await asked(client, "/object_info")

    asyncio.run(look())
