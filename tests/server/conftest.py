"""A whole server with a toy worker, in the test's own event loop."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from engine.settings import Settings
from server import keys
from server.compose import compose
from server.settings import ServerSettings

TOY = Path(__file__).resolve().parent.parent / "toy_worker.py"
PATIENCE = 60.0

Client = TestClient[Any, Any]
Serve = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """serve(**settings of the server) is a server to be used with `async with`; its folders are in tmp_path."""

    @asynccontextmanager
    async def start(*options: str, wait: bool = True, **serving: Any) -> AsyncIterator[Client]:
        def worker(index: int) -> list[str]:
            return [sys.executable, str(TOY), "--base-directory", str(tmp_path), *options]

        app = compose(Settings(base_directory=tmp_path), ServerSettings(**serving), worker=worker, versions="toy")
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:
            if wait:
                async with asyncio.timeout(PATIENCE):
                    while not any(each.state == "idle" for each in app[keys.POOL].workers):
                        await asyncio.sleep(0.02)
            yield client

    return start


async def post(client: Client, prompt: Mapping[str, Any], **more: Any) -> str:
    """Queues a prompt. Returns: its id."""
    async with client.post("/prompt", json={"prompt": prompt, **more}) as answer:
        body = await answer.json()
        assert answer.status == 200, body
        return str(body["prompt_id"])


async def ended(client: Client, job: str) -> dict[str, Any]:
    """The history entry of a job, once it has one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with client.get(f"/history/{job}") as answer:
                body = await answer.json()
            if job in body:
                entry: dict[str, Any] = body[job]
                return entry
            await asyncio.sleep(0.02)
