"""GET /api/jobs/{id}/trace of a whole server."""

import asyncio
import uuid

from tests.server.client import Serve, ended, post
from tests.server.watching.test_trace import check_format

PROMPT = {
    "1": {"class_type": "ToySleep", "inputs": {"value": 1, "seconds": 0.05}},
    "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
}


async def read(client, job):
    async with client.get(f"/api/jobs/{job}/trace") as answer:
        return answer.status, answer.headers, await answer.json()


def test_the_trace_of_a_job_is_a_file_with_its_nodes(serve: Serve):
    async def scenario():
        async with serve() as client:
            job = await post(client, PROMPT)
            await ended(client, job)
            return job, *await read(client, job)

    job, status, headers, told = asyncio.run(scenario())
    assert status == 200
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Content-Disposition"] == f'attachment; filename="{job}.trace.json"'
    check_format(told["traceEvents"])
    sleep = next(event for event in told["traceEvents"] if event.get("args", {}).get("node") == "1")
    assert sleep["args"]["class_type"] == "ToySleep"
    assert sleep["dur"] >= 50_000


def test_a_node_that_was_cached_is_marked_so(serve: Serve):
    async def scenario():
        async with serve() as client:
            for _ in range(2):
                job = await post(client, PROMPT)
                await ended(client, job)
            return await read(client, job)

    _, _, told = asyncio.run(scenario())
    check_format(told["traceEvents"])
    marks = {event["args"]["node"] for event in told["traceEvents"] if event["ph"] == "i"}
    assert "1" in marks


def test_a_job_that_waits_has_a_trace_too(serve: Serve):
    async def scenario():
        async with serve() as client:
            first = await post(client, {**PROMPT, "1": {"class_type": "ToySleep", "inputs": {"seconds": 60.0}}})
            second = await post(client, PROMPT)
            told = await read(client, second)
            await client.post("/api/jobs/cancel", json={"job_ids": [first, second]})
            return told

    status, _, told = asyncio.run(scenario())
    assert status == 200
    check_format(told["traceEvents"])
    assert told["otherData"]["state"] == "waiting"


def test_an_unknown_job_is_404_in_json(serve: Serve):
    async def scenario():
        async with serve(wait=False) as client:
            return await read(client, uuid.uuid4())

    status, headers, told = asyncio.run(scenario())
    assert status == 404
    assert headers["Content-Type"].startswith("application/json")
    assert told == {"error": "Job not found"}
