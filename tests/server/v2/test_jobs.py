"""/api/v2/jobs as the contract has it: links, states, repeats, resuming, errors in one shape."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.server.client import PATIENCE, Client, Serve, runs


def saving(value: int = 1, seconds: float = 0.0) -> dict[str, Any]:
    return {
        "1": {"class_type": "ToySleep", "inputs": {"value": value, "seconds": seconds}},
        "2": {"class_type": "ToySave", "inputs": {"value": ["1", 0], "prefix": "v2"}},
    }


async def submit(client: Client, workflow: Any, status: int = 201, key: str | None = None, **more: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    async with client.post("/api/v2/jobs", json={"workflow": workflow, **more}, headers=headers) as answer:
        body = await answer.json()
        assert answer.status == status, body
        return body


async def get(client: Client, path: str, status: int = 200) -> Any:
    async with client.get(path) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def ended(client: Client, id: str) -> Any:
    async with asyncio.timeout(PATIENCE):
        while (job := await get(client, f"/api/v2/jobs/{id}"))["status"] in ("queued", "running", "canceling"):
            await asyncio.sleep(0.02)
    return job


async def streamed(client: Client, id: str, **headers: str) -> AsyncIterator[tuple[int | None, str, Any]]:
    """The events of a job until the stream ends: number, name, data."""
    async with client.get(f"/api/v2/jobs/{id}/events", headers=headers) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        text = (await answer.read()).decode()
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "event" in lines:
            yield (int(lines["id"]) if "id" in lines else None), lines["event"], json.loads(lines["data"])


@runs
async def test_a_workflow_becomes_files_that_links_lead_to(serve: Serve) -> None:
    async with serve() as client:
        job = await submit(client, saving(7), metadata={"customer": "a"}, priority=3)
        assert job["status"] in ("queued", "running")
        assert job["metadata"] == {"customer": "a"}
        assert job["urls"]["self"].endswith(f"/api/v2/jobs/{job['id']}")
        done = await ended(client, job["id"])
        assert done["status"] == "succeeded", done
        assert done["error"] is None
        assert done["progress"] is None
        assert done["started_at"] <= done["completed_at"] < done["expires_at"]
        (output,) = done["outputs"]
        assert output["node_id"] == "2"
        async with client.get(output["url"].partition("/api/")[2].join(["/api/", ""])) as answer:
            data = await answer.read()
        assert len(data) == output["size_bytes"] > 0
        asset = await get(client, f"/api/v2/assets/{output['id']}")
        assert asset["job_id"] == job["id"]
        assert asset["size_bytes"] == len(data)
        behind = await get(client, f"/api/v2/jobs/{job['id']}/workflow")
        assert behind["format"] == "api"
        assert behind["workflow"]["1"]["inputs"]["value"] == 7


@runs
async def test_a_repeat_with_the_same_key_is_the_same_job_and_across_restarts(serve: Serve) -> None:
    async with serve() as client:
        first = await submit(client, saving(1), key="order-17")
        again = await submit(client, saving(1), status=200, key="order-17")
        assert again["id"] == first["id"]
        refused = await submit(client, saving(2), status=422, key="order-17")
        assert refused["error"]["code"] == "idempotency_key_reuse"
        other = await submit(client, saving(1), key="order-18")
        assert other["id"] != first["id"]
        await ended(client, other["id"])
    async with serve() as client:
        again = await submit(client, saving(1), status=200, key="order-17")
        assert (again["id"], again["status"]) == (first["id"], "succeeded")
        assert len((await get(client, "/api/v2/jobs"))["jobs"]) == 2


@runs
async def test_many_repeats_at_once_make_one_job(serve: Serve) -> None:
    async with serve() as client:

        async def send() -> tuple[int, str]:
            headers = {"Idempotency-Key": "one"}
            async with client.post("/api/v2/jobs", json={"workflow": saving()}, headers=headers) as answer:
                return answer.status, (await answer.json())["id"]

        sent = await asyncio.gather(*(send() for _ in range(20)))
        assert len({id for _, id in sent}) == 1
        assert sorted(status for status, _ in sent) == [200] * 19 + [201]


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
@runs
async def test_a_key_that_is_none_is_refused(key: str, serve: Serve) -> None:
    async with serve() as client:
        assert (await submit(client, saving(), status=400, key=key))["error"]["code"] == "invalid_request"


@runs
async def test_the_stream_tells_states_progress_outputs_and_its_end(serve: Serve) -> None:
    async with serve() as client:
        job = await submit(client, saving(5, seconds=1.0))
        found = [each async for each in streamed(client, job["id"])]
        names = [name for _, name, _ in found]
        assert names[0] == "status"
        assert found[-1][1:] == ("status", {"status": "succeeded"})
        assert "progress" in names
        ((_, _, output),) = [each for each in found if each[1] == "output"]
        (listed,) = (await ended(client, job["id"]))["outputs"]
        assert same(output) == same(listed)
        values = [data["value"] for _, name, data in found if name == "progress"]
        assert values == sorted(values)
        assert all(0 <= value <= 1 for value in values)
        numbers = [number for number, _, _ in found if number is not None]
        assert numbers == sorted(numbers)
        # A client that comes back gets what came after.
        middle = numbers[len(numbers) // 2]
        rest = [each async for each in streamed(client, job["id"], **{"Last-Event-ID": str(middle)})]
        assert [each[0] for each in rest] == [number for number in numbers if number > middle]
        (_, first, late), last = [each async for each in streamed(client, job["id"])]
        assert (first, same(late)) == ("output", same(output))
        assert last == (numbers[-1], "status", {"status": "succeeded", "queue_position": None})
        for headers in ({"Last-Event-ID": str(numbers[-1])}, {"Last-Event-ID": str(numbers[-1] + 1000)}):
            async with client.get(f"/api/v2/jobs/{job['id']}/events", headers=headers) as answer:
                assert (answer.status, await answer.read()) == (204, b"")
        again = [each async for each in streamed(client, job["id"], **{"Last-Event-ID": ""})]
        assert [each[1] for each in again] == ["output", "status"]


def same(output: dict[str, Any]) -> dict[str, Any]:
    """What is the same of an output whenever it is asked for."""
    return {name: value for name, value in output.items() if name != "url_expires_at"}


@runs
async def test_a_cancelled_job_says_so_running_or_waiting(serve: Serve) -> None:
    async with serve() as client:
        running = await submit(client, saving(1, seconds=30))
        waiting = await submit(client, saving(2, seconds=30))
        async with asyncio.timeout(PATIENCE):
            while (await get(client, f"/api/v2/jobs/{running['id']}"))["status"] != "running":
                await asyncio.sleep(0.02)
        assert (await get(client, f"/api/v2/jobs/{waiting['id']}"))["queue_position"] == 1
        for job in (waiting, running):
            async with client.post(f"/api/v2/jobs/{job['id']}/cancel") as answer:
                assert (await answer.json())["status"] in ("canceling", "canceled")
            assert (await ended(client, job["id"]))["status"] == "canceled"
            last = [each async for each in streamed(client, job["id"])][-1]
            assert last[2]["status"] == "canceled"


@runs
async def test_a_failed_job_says_which_node_and_why(serve: Serve) -> None:
    graph = {
        "1": {"class_type": "ToyRaise", "inputs": {}},
        "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
    }
    async with serve() as client:
        job = await submit(client, graph)
        done = await ended(client, job["id"])
        assert done["status"] == "failed"
        assert done["error"]["code"] == "node_execution_error"
        assert done["error"]["node_id"] == "1"
        assert "as it was told to" in done["error"]["message"]


def showing(value: Any) -> dict[str, Any]:
    return {"1": {"class_type": "ToyShow", "inputs": {"value": value}}}


BAD: dict[str, tuple[Any, int, str]] = {
    "no workflow": ({}, 422, "invalid_workflow"),
    "a list": ({"workflow": []}, 422, "invalid_workflow"),
    "the editor's format": ({"workflow": {"nodes": [], "links": [], "version": 0.4}}, 422, "workflow_format_ui"),
    "an unknown node": ({"workflow": {"1": {"class_type": "Nope", "inputs": {}}}}, 422, "invalid_workflow"),
    "a missing asset": (
        {
            "workflow": {
                "1": {"class_type": "ToyShow", "inputs": {"value": {"__type": "core/ASSET", "info": {"id": "x"}}}}
            }
        },
        422,
        "missing_asset",
    ),
    "a reference without info": (
        {"workflow": showing({"__type": "core/ASSET"})},
        422,
        "missing_asset",
    ),
    "reserved inputs": ({"workflow": saving(), "inputs": {}}, 422, "invalid_workflow"),
    "other extra data": ({"workflow": saving(), "extra_data": {"x": 1}}, 400, "invalid_request"),
    "metadata of numbers": ({"workflow": saving(), "metadata": {"a": 1}}, 422, "invalid_request"),
    "long metadata": ({"workflow": saving(), "metadata": "x" * 2000}, 422, "invalid_request"),
    "priority as text": ({"workflow": saving(), "priority": "high"}, 422, "invalid_request"),
    "no object": ([1], 400, "invalid_request"),
}


@runs
async def test_what_cannot_run_is_refused_in_one_shape(serve: Serve) -> None:
    async with serve() as client:
        for name, (body, status, code) in BAD.items():
            async with client.post("/api/v2/jobs", json=body) as answer:
                error = (await answer.json())["error"]
                assert (answer.status, error["code"]) == (status, code), (name, error)
                assert error["message"]
        async with client.post("/api/v2/jobs", data=b"{") as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (400, "invalid_request")
        for path in (
            "/api/v2/jobs/none",
            "/api/v2/jobs/none/workflow",
            "/api/v2/jobs/none/events",
            "/api/v2/assets/x.y.z",
        ):
            assert (await get(client, path, 404))["error"]["code"] == "not_found"


@runs
async def test_lists_are_paged_and_filtered(serve: Serve) -> None:
    async with serve() as client:
        jobs = [await submit(client, saving(n), metadata={"n": str(n % 2)}) for n in range(5)]
        for job in jobs:
            await ended(client, job["id"])
        first = await get(client, "/api/v2/jobs?limit=2")
        assert [each["id"] for each in first["jobs"]] == [jobs[4]["id"], jobs[3]["id"]]
        second = await get(client, f"/api/v2/jobs?limit=2&cursor={first['next_cursor']}")
        assert [each["id"] for each in second["jobs"]] == [jobs[2]["id"], jobs[1]["id"]]
        last = await get(client, f"/api/v2/jobs?limit=2&cursor={second['next_cursor']}")
        assert [each["id"] for each in last["jobs"]] == [jobs[0]["id"]]
        assert "next_cursor" not in last
        assert (await get(client, "/api/v2/jobs?status=failed"))["jobs"] == []
        odd = await get(client, "/api/v2/jobs?metadata[n]=1")
        assert {each["id"] for each in odd["jobs"]} == {jobs[1]["id"], jobs[3]["id"]}
        for bad in ("status=lost", "cursor=4", "cursor=a-b"):
            assert (await get(client, f"/api/v2/jobs?{bad}", 400))["error"]["code"] == "invalid_request"


@runs
async def test_labels_are_looked_for_in_all_jobs_and_not_in_a_page(serve: Serve) -> None:
    async with serve() as client:
        jobs = [await submit(client, saving(n), metadata={"n": str(n % 2), "m": "x" * 900}) for n in range(6)]
        first = await get(client, "/api/v2/jobs?metadata[n]=0&limit=2")
        assert [each["id"] for each in first["jobs"]] == [jobs[4]["id"], jobs[2]["id"]]
        second = await get(client, f"/api/v2/jobs?metadata[n]=0&limit=2&cursor={first['next_cursor']}")
        assert [each["id"] for each in second["jobs"]] == [jobs[0]["id"]]
        assert "next_cursor" not in second
        assert (await get(client, "/api/v2/jobs?metadata[n]=0&metadata[m]=y"))["jobs"] == []


@runs
async def test_a_page_goes_on_where_the_last_one_ended_whatever_came_between(serve: Serve) -> None:
    async with serve() as client:
        jobs = [await submit(client, saving(n)) for n in range(4)]
        first = await get(client, "/api/v2/jobs?limit=2")
        for n in range(3):
            await submit(client, saving(10 + n))
        second = await get(client, f"/api/v2/jobs?limit=2&cursor={first['next_cursor']}")
        assert [each["id"] for each in (*first["jobs"], *second["jobs"])] == [each["id"] for each in reversed(jobs)]
