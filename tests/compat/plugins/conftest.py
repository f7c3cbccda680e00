"""What tests of plugins share: packages written to custom_nodes, and a real server whose real worker imports them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

import nodes
from compat.host import Host
from compat.plugins.plugins import Plugins
from engine.settings import Settings
from server import keys
from server.compose import compose
from server.settings import ServerSettings

WORKER = Path(__file__).resolve().parent / "plugin_worker.py"
PATIENCE = 90.0  # seconds; a machine with two busy cores may be slow

Client = TestClient[Any, Any]
ServePlugins = Callable[..., AbstractAsyncContextManager[Client]]
Write = Callable[..., Path]

NODE = """
class {name}:
    @classmethod
    def INPUT_TYPES(cls):
        return {{"required": {{"value": ("INT", {{"default": 0}})}}}}
    RETURN_TYPES = ("INT",)
    FUNCTION = "go"
    OUTPUT_NODE = True
    CATEGORY = "test"
    def go(self, value):
        return {{"ui": {{"told": [{told}]}}, "result": (value,)}}
NODE_CLASS_MAPPINGS = {{"{name}": {name}}}
"""


def node(name: str, told: str = "value") -> str:
    """The code of a V1 node that shows the value of an expression."""
    return NODE.format(name=name, told=told)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write("name/__init__.py", code) makes a plugin's file below custom_nodes."""

    def written(name: str, code: str = "") -> Path:
        path = tmp_path / "base" / "custom_nodes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(code))
        return path

    return written


@pytest.fixture
def serve_plugins(tmp_path: Path) -> ServePlugins:
    """`async with serve_plugins(**settings of the server)`: a server, ready with its plugins (or not: wait=False)."""
    base = tmp_path / "base"

    @asynccontextmanager
    async def start(*options: str, wait: bool = True, **serving: Any) -> AsyncIterator[Client]:
        (base / "custom_nodes").mkdir(parents=True, exist_ok=True)

        def worker(index: int) -> list[str]:
            return [sys.executable, str(WORKER), "--base-directory", str(base), "--index", str(index), *options]

        settings = Settings(base_directory=base, cpu=True)
        app = compose(settings, ServerSettings(**serving), worker=worker, versions="test")
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:
            async with asyncio.timeout(PATIENCE):
                while wait and not all(each.state == "idle" for each in app[keys.POOL].workers):
                    await asyncio.sleep(0.02)
            yield client

    return start


async def asked(client: Client, path: str, status: int = 200, **options: Any) -> Any:
    """The JSON that a GET, or a POST with a body, is answered with."""
    method = "POST" if options.keys() & {"json", "data"} else "GET"
    async with client.request(method, path, **options) as answer:
        assert answer.status == status, (answer.status, await answer.text())
        return await answer.json()


async def ran(client: Client, prompt: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The history entry of a prompt, once it has run."""
    job = (await asked(client, "/prompt", json={"prompt": prompt, **more}))["prompt_id"]
    async with asyncio.timeout(PATIENCE):
        while job not in (entry := await asked(client, f"/history/{job}")):
            await asyncio.sleep(0.02)
    found: dict[str, Any] = entry[job]
    return found


async def plugins(client: Client) -> dict[str, dict[str, Any]]:
    """The records of /api/plugins by name."""
    return {each["name"]: each for each in await asked(client, "/api/plugins")}


class House:
    """The plugins of a host, closed at the end of the test."""

    def __init__(self, host: Host) -> None:
        self.host, self.plugins = host, Plugins(host)
        self._before = dict(nodes.NODE_CLASS_MAPPINGS)

    def write(self, name: str, code: str) -> Path:
        path = self.host.folders.base / "custom_nodes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(code))
        return path

    def load(self) -> dict[str, dict[str, object]]:
        self.plugins.load()
        return {each["name"]: each for each in self.plugins.records}

    def close(self) -> None:
        self.plugins.close()
        nodes.NODE_CLASS_MAPPINGS.clear()
        nodes.NODE_CLASS_MAPPINGS.update(self._before)
        for name in [each for each in sys.modules if str(self.host.folders.base).replace(".", "_x_") in each]:
            del sys.modules[name]


@pytest.fixture
def house(host: Host) -> Iterator[House]:
    if not hasattr(nodes, "NODE_CLASS_MAPPINGS"):
        nodes.NODE_CLASS_MAPPINGS = {}  # type: ignore[attr-defined]
    made = House(host)
    yield made
    made.close()
