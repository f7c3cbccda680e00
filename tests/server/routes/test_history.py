"""server.routes.history: ended jobs as clients read them."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest

from server import keys
from server.jobs.job import Output, State
from server.routes.history import PAGE
from tests.server.client import Client, post
from tests.server.quiet import PROMPT, quiet, run

SAVED = Output("9", {"images": [{"filename": "cat_00001_.png", "subfolder": "", "type": "output"}]}, "9", None, "9")


async def history(client: Client, path: str = "") -> dict[str, Any]:
    async with client.get(f"/history{path}") as answer:
        assert answer.status == 200, await answer.text()
        shown: dict[str, Any] = await answer.json()
        return shown


def test_an_entry_has_prompt_outputs_meta_and_status(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            id = await post(client, PROMPT, client_id="me")
            job = await run(client, id, State.SUCCEEDED, SAVED)
            shown = await history(client, f"/{id}")
            assert await history(client) == shown
            entry = shown[id]
            assert entry["prompt"] == [0, id, PROMPT, {"client_id": "me", "create_time": job.created}, ["9"]]
            assert entry["outputs"] == {"9": SAVED.ui}
            assert entry["meta"] == {
                "9": {"node_id": "9", "display_node": "9", "parent_node": None, "real_node_id": "9"}
            }
            assert entry["status"] == {
                "status_str": "success",
                "completed": True,
                "messages": [["execution_start", {"prompt_id": id}], ["execution_succeeded", {"prompt_id": id}]],
                "cause": None,
                "timings": [{"node": "3", "display_node": "3", "class_type": "KSampler", "start": 1.0, "seconds": 2.5}],
            }

    asyncio.run(scenario())


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_job_that_did_not_succeed_is_an_error(tmp_path: Path, state: State) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            id = await post(client, PROMPT)
            await run(client, id, state, cause="crashed")
            status = (await history(client))[id]["status"]
            assert (status["status_str"], status["completed"], status["cause"]) == ("error", False, "crashed")

    asyncio.run(scenario())


def test_what_is_unknown_or_has_not_ended_is_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            id = await post(client, PROMPT)
            assert await history(client) == {}
            for each in (id, "nobody", "%00", "%ff", "a" * 5000):
                assert await history(client, f"/{each}") == {}
            await client.app[keys.JOBS].start(id, "worker-0")
            assert await history(client, f"/{id}") == {}
            assert await history(client) == {}

    asyncio.run(scenario())


def test_the_newest_so_many_or_so_many_from_an_offset_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = [await post(client, PROMPT) for _ in range(5)]
            for each in ids:
                await run(client, each)
            assert list(await history(client)) == ids
            for path, expected in {
                "?max_items=2": ids[3:],
                "?max_items=2&offset=-1": ids[3:],
                "?max_items=2&offset=1": ids[1:3],
                "?max_items=0": [],
                "?max_items=64": ids,
                "?max_items=1000000": ids,
                "?max_items=1000&offset=2": ids[2:],
                "?offset=4": ids[4:],
                "?offset=40": [],
                "?max_items=&clientId=me": ids,
            }.items():
                assert list(await history(client, path)) == expected, path

    asyncio.run(scenario())


def test_a_long_history_is_whole_and_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = [await post(client, PROMPT) for _ in range(2 * PAGE)]
            await asyncio.gather(*(run(client, each) for each in ids))
            shown = await history(client)
            assert sorted(shown) == sorted(ids)
            assert list(await history(client, f"?max_items={PAGE + 5}&offset=3")) == list(shown)[3 : PAGE + 8]

    asyncio.run(scenario())


def test_forgetting_leaves_what_has_not_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = [await post(client, PROMPT) for _ in range(4)]
            for each in ids[:3]:
                await run(client, each)
            async with client.post("/history", json={"delete": [ids[0], ids[3], "nobody"]}) as answer:
                assert (answer.status, await answer.read()) == (200, b"")
            assert list(await history(client)) == ids[1:3]
            async with client.post("/history", json={"clear": True}) as answer:
                assert answer.status == 200
            assert await history(client) == {}
            assert client.app[keys.JOBS].remaining == 1

    asyncio.run(scenario())


def test_answers_are_strict_json_whatever_nodes_showed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            id = await post(client, PROMPT)
            odd = Output("9", {"numbers": [math.nan, -math.inf, 1.5], "text": ["\ud800"]}, "9")
            await run(client, id, State.SUCCEEDED, odd)
            for path in ("/history", f"/history/{id}", f"/api/jobs/{id}", "/api/jobs"):
                async with client.get(path) as answer:
                    assert answer.status == 200
                    json.loads(await answer.text(), parse_constant=pytest.fail)
            assert (await history(client))[id]["outputs"]["9"]["numbers"] == [None, None, 1.5]

    asyncio.run(scenario())
