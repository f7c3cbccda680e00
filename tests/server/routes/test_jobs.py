"""server.routes.jobs: jobs in every state, by page and one by one, and how they are cancelled."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from server import keys
from server.jobs.job import Output, State
from server.protocol import jobs as protocol
from tests.server.client import Client, post
from tests.server.quiet import PROMPT, quiet, run
from tests.server.shapes import misfit


async def listed(client: Client, query: str = "") -> dict[str, Any]:
    async with client.get(f"/api/jobs{query}") as answer:
        assert answer.status == 200, await answer.text()
        shown: dict[str, Any] = await answer.json()
        return shown


async def one_of_each(client: Client) -> dict[str, str]:
    """A job in every state. Returns: their ids by what /api/jobs calls the state."""
    names = ("completed", "failed", "cancelled", "in_progress", "pending")
    ids = {name: await post(client, PROMPT, extra_data={"extra_pnginfo": {"workflow": {"id": name}}}) for name in names}
    await run(client, ids["completed"])
    await run(client, ids["failed"], State.FAILED, error={"exception_message": "no"}, cause="node_error")
    await run(client, ids["cancelled"], State.CANCELLED, cause="cancelled")
    await client.app[keys.JOBS].start(ids["in_progress"], "worker-0")
    return ids


def test_a_list_is_of_jobs_and_says_where_it_stands(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            assert await listed(client) == {
                "jobs": [],
                "pagination": {"offset": 0, "limit": 1000, "total": 0, "has_more": False},
            }
            ids = await one_of_each(client)
            found = {each["id"]: each for each in (await listed(client))["jobs"]}
            assert {each["id"]: each["status"] for each in found.values()} == {id: name for name, id in ids.items()}
            waiting = found[ids["pending"]]
            assert waiting.pop("create_time") > 1_600_000_000_000
            assert waiting == {
                "id": ids["pending"],
                "status": "pending",
                "priority": 4,
                "outputs_count": 0,
                "previewable_outputs_count": 0,
                "workflow_id": "pending",
            }
            failed = found[ids["failed"]]
            assert failed["execution_error"] == {"exception_message": "no"}
            assert failed["cause"] == "node_error"
            assert failed["create_time"] <= failed["execution_start_time"] <= failed["execution_end_time"]

    asyncio.run(scenario())


def test_lists_are_filtered_sorted_and_cut(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = await one_of_each(client)
            names = {id: name for name, id in ids.items()}

            async def found(query: str) -> list[str]:
                return [names[each["id"]] for each in (await listed(client, query))["jobs"]]

            assert set(await found("?status=in_progress,pending&limit=200")) == {"in_progress", "pending"}
            ended = await found("?status=completed,failed,cancelled&limit=64&sort_order=asc")
            assert ended == ["completed", "failed", "cancelled"]
            assert await found("?status=failed") == ["failed"]
            assert await found("?status=failed&workflow_id=failed&clientId=me") == ["failed"]
            assert await found("?workflow_id=nobody") == []
            assert len(await found("?status=")) == 5
            assert len(await found("?sort_by=execution_duration&sort_order=desc")) == 5
            ids["next"] = await post(client, PROMPT, front=True)
            names[ids["next"]] = "next"
            assert await found("?status=pending&sort_by=priority&sort_order=asc") == ["next", "pending"]
            assert await found("?status=pending&sort_order=asc") == ["pending", "next"]
            page = await listed(client, "?sort_order=asc&limit=2&offset=1")
            assert [names[each["id"]] for each in page["jobs"]] == ["failed", "cancelled"]
            assert page["pagination"] == {"offset": 1, "limit": 2, "total": 6, "has_more": True}
            page = await listed(client, "?limit=99999&offset=4")
            assert page["pagination"] == {"offset": 4, "limit": 1000, "total": 6, "has_more": False}

    asyncio.run(scenario())


BAD = [
    ("status=done", "status"),
    ("status=pending,Done", "Done"),
    ("sort_by=id", "sort_by"),
    ("sort_order=up", "sort_order"),
    ("limit=0", "limit"),
    ("limit=-1", "limit"),
    ("limit=ten", "limit"),
    ("limit=1e3", "limit"),
    ("limit=%D9%A3", "limit"),
    ("limit=99999999999999999999999", "limit"),
    ("offset=-1", "offset"),
    ("offset=1.5", "offset"),
    ("offset=x&limit=5", "offset"),
]


@pytest.mark.parametrize(("query", "named"), BAD)
def test_what_cannot_be_asked_for_is_named(tmp_path: Path, query: str, named: str) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path, {}) as client, client.get(f"/api/jobs?{query}") as answer:
            body = await answer.json()
            assert answer.status == 400
            assert list(body) == ["error"]
            assert named in body["error"]

    asyncio.run(scenario())


def file(name: str, type: str = "output") -> dict[str, str]:
    return {"filename": name, "subfolder": "", "type": type}


CHOICES: dict[str, tuple[dict[str, list[Any]], Any]] = {
    "nothing": ({}, None),
    "a flag": ({"animated": [True]}, None),
    "a text": ({"text": ["hello"]}, {"content": "hello", "mediaType": "text"}),
    "a text file before a text": (
        {"text": ["hello"], "files": [file("a.txt")]},
        {"filename": "a.txt", "subfolder": "", "type": "output", "mediaType": "files"},
    ),
    "a temporary picture before a text file": (
        {"files": [file("a.txt")], "images": [file("t.png", "temp")]},
        {"filename": "t.png", "subfolder": "", "type": "temp", "mediaType": "images"},
    ),
    "a saved film before a temporary picture": (
        {"images": [file("t.png", "temp")], "gifs": [file("a.mp4")]},
        {"filename": "a.mp4", "subfolder": "", "type": "output", "mediaType": "gifs"},
    ),
    "the first of several": (
        {"images": [file("a.png"), file("b.png")]},
        {"filename": "a.png", "subfolder": "", "type": "output", "mediaType": "images"},
    ),
    "a sound when there is nothing else": (
        {"audio": [file("a.flac")]},
        {"filename": "a.flac", "subfolder": "", "type": "output", "mediaType": "audio"},
    ),
    "rubbish": ({"images": [None, 5, {"filename": 7}, {}]}, None),
}


@pytest.mark.parametrize("name", CHOICES)
def test_one_output_stands_for_the_job(tmp_path: Path, name: str) -> None:
    ui, expected = CHOICES[name]

    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            id = await post(client, PROMPT)
            await run(client, id, State.SUCCEEDED, Output("9", ui, "9"))
            (job,) = (await listed(client))["jobs"]
            assert job.get("preview_output") == (None if expected is None else {**expected, "nodeId": "9"})
            count = 0 if expected is None else sum(len(values) for values in ui.values())
            assert (job["outputs_count"], job["previewable_outputs_count"]) == (count, count)

    asyncio.run(scenario())


def test_a_long_text_is_cut_in_the_list_and_whole_in_the_job(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            id = await post(client, PROMPT)
            await run(client, id, State.SUCCEEDED, Output("9", {"text": ["x" * 5000]}, "9"))
            (job,) = (await listed(client))["jobs"]
            assert job["preview_output"]["content"] == "x" * 1024
            async with client.get(f"/api/jobs/{id}") as answer:
                assert (await answer.json())["outputs"] == {"9": {"text": ["x" * 5000]}}

    asyncio.run(scenario())


def test_one_job_has_outputs_status_and_workflow(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = await one_of_each(client)
            async with client.get(f"/api/jobs/{ids['failed']}") as answer:
                job = await answer.json()
            assert job["status"] == "failed"
            assert job["outputs"] == {}
            assert job["execution_status"]["status_str"] == "error"
            assert job["execution_status"]["messages"][0][0] == "execution_start"
            assert job["workflow"]["prompt"] == PROMPT
            assert job["workflow"]["extra_data"]["extra_pnginfo"]["workflow"]["id"] == "failed"
            assert job["workflow_id"] == "failed"
            async with client.get(f"/api/jobs/{ids['pending']}") as answer:
                assert "execution_status" not in await answer.json()
            for id in (str(uuid.uuid4()), "nobody", "%00", "%ff", "a" * 5000):
                async with client.get(f"/api/jobs/{id}") as answer:
                    assert (answer.status, await answer.json()) == (404, {"error": "Job not found"})

    asyncio.run(scenario())


def test_a_job_can_be_cancelled_until_it_has_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = await one_of_each(client)
            expected = {"pending": True, "completed": False, "failed": False, "cancelled": False}
            for name, cancelled in expected.items():
                for again in (cancelled, False):
                    async with client.post(f"/api/jobs/{ids[name]}/cancel") as answer:
                        assert (answer.status, await answer.json()) == (200, {"cancelled": again}), name
            async with client.post(f"/api/jobs/{uuid.uuid4()}/cancel") as answer:
                assert (answer.status, await answer.json()) == (200, {"cancelled": False})
            async with client.get(f"/api/jobs/{ids['pending']}") as answer:
                assert (await answer.json())["status"] == "cancelled"

    asyncio.run(scenario())


def test_several_jobs_are_cancelled_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = [await post(client, PROMPT) for _ in range(3)]
            for wanted, cancelled in (
                (ids[:2], True),
                (ids[:2], False),
                ([str(uuid.uuid4()), ids[2]], True),
                ([], False),
            ):
                async with client.post("/api/jobs/cancel", json={"job_ids": wanted}) as answer:
                    assert (answer.status, await answer.json()) == (200, {"cancelled": cancelled})
            assert client.app[keys.JOBS].remaining == 0

    asyncio.run(scenario())


def test_ids_that_are_none_cancel_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            id = await post(client, PROMPT)
            async with client.post("/api/jobs/cancel", json={"job_ids": [id, "nobody", 5]}) as answer:
                body = await answer.json()
                assert answer.status == 400
                assert body["invalid_ids"] == ["nobody", 5]
                assert "job_ids" in body["error"]
            assert client.app[keys.JOBS].remaining == 1

    asyncio.run(scenario())


async def moved(client: Client, job: str, before: object, status: int = 200) -> dict[str, Any]:
    async with client.post(f"/api/jobs/{job}/move", json={"before": before}) as answer:
        assert answer.status == status, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def order(client: Client) -> list[str]:
    async with client.get("/queue") as answer:
        return [item[1] for item in (await answer.json())["queue_pending"]]


def test_a_waiting_job_gets_another_place_and_everybody_hears_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            first, second, third = [await post(client, PROMPT) for _ in range(3)]
            async with client.ws_connect("/ws?clientId=me") as socket:
                await socket.receive_json()
                answer = await moved(client, third, first)
                told = await socket.receive_json(timeout=10)
            assert told == {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 3}}}}
            assert misfit(answer, protocol.JobMoved) is None
            assert await order(client) == [third, first, second]
            found = {each["id"]: each["priority"] for each in (await listed(client))["jobs"]}
            assert found[third] == answer["priority"] < found[first]
            await moved(client, third, None)
            assert await order(client) == [first, second, third]

    asyncio.run(scenario())


def test_what_does_not_wait_cannot_be_moved(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = await one_of_each(client)
            unknown = str(uuid.uuid4())
            assert (await moved(client, unknown, None, 404))["error"] == "Job not found"
            for name in ("completed", "failed", "cancelled", "in_progress"):
                for job, before in ((ids[name], None), (ids["pending"], ids[name])):
                    said = await moved(client, job, before, 409)
                    assert "does not wait any more" in said["error"]
            await moved(client, ids["pending"], unknown, 409)
            await moved(client, ids["pending"], 5, 400)

    asyncio.run(scenario())


def test_all_that_wait_are_cleared_also_while_they_are_moved(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            jobs = [await post(client, PROMPT) for _ in range(20)]

            async def clear() -> None:
                async with client.post("/queue", json={"clear": True}) as answer:
                    assert answer.status == 200

            async def move(job: str) -> None:
                async with client.post(f"/api/jobs/{job}/move", json={"before": None}) as answer:
                    assert answer.status in (200, 409)

            await asyncio.gather(*[move(each) for each in jobs[:10]], clear(), *[move(each) for each in jobs[10:]])
            assert await order(client) == []

    asyncio.run(scenario())
