"""GET /metrics of a whole server."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from tests.server.client import Serve, ended, post

PROMPT = {
    "1": {"class_type": "ToyConstant", "inputs": {"value": 1}},
    "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
    "3": {"class_type": "ToyRaise", "inputs": {}},
    "4": {"class_type": "ToyShow", "inputs": {"value": ["3", 0]}},
}


async def read(client, path="/metrics", **headers):
    async with client.get(path, headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain")
        text = await answer.text()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_numbers_of_a_server_that_has_run_jobs(serve: Serve):
    async def scenario():
        async with serve() as client, client.ws_connect("/ws"):
            for outputs in (["2"], ["4"]):
                await ended(client, await post(client, PROMPT, partial_execution_targets=outputs))
            return await read(client)

    told = asyncio.run(scenario())
    assert told["latentwire_jobs_ended_total", "", "succeeded"] == 1
    assert told["latentwire_jobs_ended_total", "failed", "node_error"] == 1
    assert told["latentwire_jobs", "waiting"] == told["latentwire_jobs", "running"] == 0
    assert told["latentwire_job_wait_seconds_count",] == 2
    assert told["latentwire_node_seconds_count", "ToyConstant"] == 1
    assert told["latentwire_request_seconds_count", "/prompt", "200", "POST"] == 2
    assert sum(told["latentwire_workers", state] for state in ("idle", "busy")) == 1
    assert told["latentwire_sockets",] == 1
    assert told["latentwire_last_event",] > 0
    assert told["latentwire_database_bytes",] > 0
    assert told["latentwire_memory_bytes",] > 0


def test_a_server_without_a_worker_has_numbers_too(serve: Serve):
    async def scenario():
        async with serve("--start-delay", "60", wait=False) as client:
            return await read(client, "/api/metrics", Accept="text/plain")

    told = asyncio.run(scenario())
    assert told["latentwire_workers", "starting"] == 1
