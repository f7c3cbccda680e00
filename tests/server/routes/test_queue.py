"""server.routes.queue: what runs and waits as clients read it, and how it is stopped."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

from server import keys
from server.routes.queue import PAGE
from tests.server.client import Client, post
from tests.server.quiet import PROMPT, quiet, run


async def queue(client: Client) -> tuple[list[Any], list[Any]]:
    async with client.get("/queue") as answer:
        assert answer.content_type == "application/json"
        shown = await answer.json()
        assert list(shown) == ["queue_running", "queue_pending"]
        return shown["queue_running"], shown["queue_pending"]


async def status(client: Client, path: str, **body: Any) -> int:
    async with client.post(path, json=body) as answer:
        if answer.status == 200:
            assert await answer.read() == b""
        return answer.status


def test_an_item_is_number_id_prompt_extra_data_and_outputs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            assert await queue(client) == ([], [])
            first = await post(client, PROMPT, client_id="me", extra_data={"mine": 1})
            second = await post(client, PROMPT)
            await client.app[keys.JOBS].start(first, "worker-0")
            (running,), (waiting,) = await queue(client)
            created = running[3].pop("create_time")
            assert isinstance(created, int)
            assert running == [0, first, PROMPT, {"mine": 1, "client_id": "me"}, ["9"]]
            assert waiting[:3] == [1, second, PROMPT]
            assert list(waiting[3]) == ["create_time"]

    asyncio.run(scenario())


def test_a_job_is_in_the_queue_until_it_is_in_the_history(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            job = await post(client, PROMPT)
            assert await (await client.get(f"/history/{job}")).json() == {}
            await run(client, job)
            assert await queue(client) == ([], [])
            assert job in await (await client.get("/history")).json()

    asyncio.run(scenario())


def test_a_long_queue_is_whole_and_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            count = 2 * PAGE + 3
            ids = [await post(client, PROMPT) for _ in range(count)]
            running, waiting = await queue(client)
            assert running == []
            assert [each[1] for each in waiting] == ids
            for job in ids[:PAGE]:
                await client.app[keys.JOBS].start(job, "worker-0")
            running, waiting = await queue(client)
            assert sorted(each[1] for each in running) == sorted(ids[:PAGE])
            assert [each[1] for each in waiting] == ids[PAGE:]

    asyncio.run(scenario())


def test_named_jobs_are_taken_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = [await post(client, PROMPT) for _ in range(4)]
            await client.app[keys.JOBS].start(ids[0], "worker-0")
            assert await status(client, "/queue", delete=[ids[0], ids[2], str(uuid.uuid4()), "nobody"]) == 200
            running, waiting = await queue(client)
            assert [each[1] for each in running] == [ids[0]]
            assert [each[1] for each in waiting] == [ids[1], ids[3]]
            assert await (await client.get(f"/history/{ids[2]}")).json() == {}

    asyncio.run(scenario())


def test_clearing_takes_out_all_that_wait(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = [await post(client, PROMPT) for _ in range(3)]
            await client.app[keys.JOBS].start(ids[0], "worker-0")
            assert await status(client, "/queue", clear=False) == 200
            assert await status(client, "/queue") == 200
            assert client.app[keys.JOBS].remaining == 3
            assert await status(client, "/queue", clear=True) == 200
            running, waiting = await queue(client)
            assert ([each[1] for each in running], waiting) == ([ids[0]], [])

    asyncio.run(scenario())


def test_interrupting_needs_no_body_and_nothing_that_runs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            waiting = await post(client, PROMPT)
            for path in ("/interrupt", "/api/interrupt", "/interrupt?clientId=me"):
                async with client.post(path) as answer:
                    assert (answer.status, await answer.read()) == (200, b"")
            assert await status(client, "/interrupt") == 200
            assert await status(client, "/interrupt", prompt_id=waiting) == 200
            assert await status(client, "/interrupt", prompt_id="nobody") == 200
            assert client.app[keys.JOBS].remaining == 1

    asyncio.run(scenario())


def test_freeing_memory_is_always_possible(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            assert await status(client, "/free", unload_models=True, free_memory=True) == 200
            assert await status(client, "/free", unload_models=True) == 200
            assert await status(client, "/free", other=1) == 200

    asyncio.run(scenario())
