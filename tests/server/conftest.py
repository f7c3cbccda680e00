"""A whole server with a toy worker, in the test's own event loop."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from engine.settings import Settings
from server import keys
from server.compose import compose
from server.settings import ServerSettings
from tests.server.client import PATIENCE, Client, Serve

TOY = Path(__file__).resolve().parent.parent / "toy_worker.py"


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """serve(**settings of the server) is a server to be used with `async with`; its folders are in tmp_path."""
    return server_in(tmp_path)


def server_in(base: Path) -> Serve:
    """The same with its folders somewhere else, for tests that share a server."""

    @asynccontextmanager
    async def start(*options: str, wait: bool = True, **serving: Any) -> AsyncIterator[Client]:
        def worker(index: int) -> list[str]:
            return [sys.executable, str(TOY), "--base-directory", str(base), *options]

        app = compose(Settings(base_directory=base), ServerSettings(**serving), worker=worker, versions="toy")
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:
            if wait:
                async with asyncio.timeout(PATIENCE):
                    while not any(each.state in ("idle", "busy") for each in app[keys.POOL].workers):
                        await asyncio.sleep(0.02)
            yield client

    return start
