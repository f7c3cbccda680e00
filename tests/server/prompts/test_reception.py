"""server.prompts.reception: who sends slowly holds up nobody else for long, and memory stays bounded."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.prompts import reception
from tests.server.client import Client
from tests.server.quiet import PROMPT, quiet

AT_ONCE = 8
"""Requests of the largest size that are read at once."""


def request(padding: int) -> bytes:
    return json.dumps({"prompt": PROMPT, "extra_data": {"padding": "x" * padding}}).encode()


@asynccontextmanager
async def stalled(client: Client, count: int, size: int) -> AsyncIterator[None]:
    """So many clients that announce a request of 20 MB, send some of it, and fall silent."""
    head = b"POST /prompt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n"
    writers = []
    for _ in range(count):
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(head + b" " * size)
        await writer.drain()
        writers.append(writer)
    await asyncio.sleep(0.2)
    yield
    for writer in writers:
        writer.close()


async def post(client: Client, padding: int) -> tuple[int, dict[str, Any], str | None]:
    async with client.post("/prompt", data=request(padding)) as answer:
        return answer.status, await answer.json(), answer.headers.get("Retry-After")


@pytest.mark.parametrize("size", [1, 300_000])
def test_ordinary_prompts_do_not_wait_for_clients_that_stall(tmp_path: Path, size: int) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client, stalled(client, 3 * AT_ONCE, size):
            async with asyncio.timeout(reception.PATIENCE_FOR_ROOM):
                for padding in (100, 17_000, 200_000):
                    assert (await post(client, padding))[0] == 200

    asyncio.run(scenario())


def test_large_prompts_wait_a_moment_until_those_that_stall_are_given_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client, stalled(client, AT_ONCE, 300_000):
            begun = time.monotonic()
            assert (await post(client, 1_000_000))[0] == 200
            assert time.monotonic() - begun < 25, "it did not wait for the patience with clients that hold up nobody"

    asyncio.run(scenario())


def test_a_large_prompt_is_sent_away_in_words_when_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "PATIENCE_FOR_ROOM", 0.1)

    async def scenario() -> None:
        async with quiet(tmp_path) as client, stalled(client, AT_ONCE, 300_000):
            status, answer, retry_after = await post(client, 1_000_000)
            assert (status, retry_after) == (503, "5")
            assert "as there is memory for" in answer["error"]["message"]

    asyncio.run(scenario())


def test_a_prompt_finds_what_ships_with_the_templates(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            names = {"latentwire_fox.png": 200, "inpaint.webp": 400, "inpaint.json": 400, "a" * 5_000: 400}
            for name, status in names.items():
                prompt = {
                    "1": {"class_type": "LoadImage", "inputs": {"image": name}},
                    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "fox"}},
                }
                async with client.post("/prompt", json={"prompt": prompt}) as answer:
                    assert answer.status == status, await answer.text()

    asyncio.run(scenario())
    (laid_out,) = (tmp_path / "input").iterdir()
    assert laid_out.read_bytes() == (Path(__file__).parents[3] / "workflows" / laid_out.name).read_bytes()
