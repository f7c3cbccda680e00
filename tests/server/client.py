"""What tests ask a server for."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiohttp.test_utils import TestClient

PATIENCE = 60.0  # seconds; a machine with two busy cores may be slow

Client = TestClient[Any, Any]
Serve = Callable[..., AbstractAsyncContextManager[Client]]


def runs(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine function, run in a loop of its own."""

    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        asyncio.run(test(*arguments, **fixtures))

    return run


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
