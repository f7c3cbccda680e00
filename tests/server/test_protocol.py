"""What a real server says has the shapes of server/protocol, nothing missing and nothing more."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import pytest

from server.protocol import files, jobs, messages, nodes, prompts, system
from tests.server.client import PATIENCE, Client, Serve, ended, post
from tests.server.shapes import misfit

Events = list[tuple[str, Any]]

DRAWS = {
    "1": {"class_type": "ToyPreview", "inputs": {"value": 1, "steps": 2, "seconds": 0.1}},
    "2": {"class_type": "ToySave", "inputs": {"value": ["1", 0]}},
    "3": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
}
FAILS = {
    "1": {"class_type": "ToyRaise", "inputs": {"kind": "ValueError"}},
    "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
}
DIES = {
    "1": {"class_type": "ToyExit", "inputs": {"code": 3}},
    "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
}
LASTS = {
    "1": {"class_type": "ToySleep", "inputs": {"value": 7, "seconds": 60, "steps": 600}},
    "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
}
REFUSED = {"1": {"class_type": "ToyShow", "inputs": {}}}
HALF = {**DRAWS, "9": {"class_type": "ToyShow", "inputs": {}}}


async def said(client: Client, path: str, status: int = 200, **body: Any) -> Any:
    """The answer of a route, asked by POST where there is something to send."""
    method = "POST" if body else "GET"
    async with client.request(method, path, **body) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def heard(client: Client, prompt: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every message about a job, after which it has ended."""
    async with client.ws_connect("/ws?clientId=me") as socket, asyncio.timeout(PATIENCE):
        await socket.send_json({"type": "feature_flags", "data": {}})
        job = await post(client, prompt, client_id="me")
        found: list[dict[str, Any]] = []
        while not found or found[-1]["data"] != {"node": None, "prompt_id": job}:
            message = await socket.receive()
            if isinstance(message.data, str):
                found.append(json.loads(message.data))
    await ended(client, job)
    return found


def test_every_message_of_runs_that_end_well_and_badly_is_as_promised(serve: Serve) -> None:
    shapes = get_type_hints(messages.Messages)

    async def scenario() -> list[dict[str, Any]]:
        async with serve() as client:
            found = [each for prompt in (DRAWS, DRAWS, FAILS, DIES) for each in await heard(client, prompt)]
            lasting = asyncio.create_task(heard(client, LASTS))
            async with asyncio.timeout(PATIENCE):
                while not (await said(client, "/queue"))["queue_running"]:
                    await asyncio.sleep(0.02)
            await client.post("/interrupt")
            return found + await lasting

    found = asyncio.run(scenario())
    assert {each["type"] for each in found} == shapes.keys() - {"logs"}  # those are told to who asks for them
    assert [bad for each in found if (bad := misfit(each["data"], shapes[each["type"]], each["type"]))] == []


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/prompt", prompts.QueueInfo),
        ("/features", messages.Features),
        ("/system_stats", system.SystemStats),
        ("/queue", jobs.Queue),
        ("/history", Mapping[str, jobs.HistoryEntry]),
        ("/api/jobs", jobs.JobPage),
        ("/object_info", nodes.ObjectInfo),
    ],
)
def test_an_answer_is_as_promised(serve: Serve, path: str, shape: Any) -> None:
    async def scenario() -> Any:
        async with serve() as client:
            for prompt in (DRAWS, FAILS, DIES):
                workflow = {"id": "w", "nodes": []}
                await ended(client, await post(client, prompt, extra_data={"extra_pnginfo": {"workflow": workflow}}))
            for value in (8, 9):
                await post(client, {**LASTS, "1": {**LASTS["1"], "inputs": {"value": value, "seconds": 60}}})
            answer = await said(client, path)
            await client.post("/queue", json={"clear": True})
            await client.post("/interrupt")
            return answer

    answer = asyncio.run(scenario())
    assert answer
    assert misfit(answer, shape) is None


def test_a_job_is_as_promised_in_every_state(serve: Serve) -> None:
    async def scenario() -> dict[str, Any]:
        found = {}
        async with serve() as client:
            for prompt in (DRAWS, FAILS):
                job = await post(client, prompt)
                await ended(client, job)
                found[prompt["1"]["class_type"]] = await said(client, f"/api/jobs/{job}")
            job = await post(client, LASTS)
            found["LASTS"] = await said(client, f"/api/jobs/{job}")
            assert misfit(await said(client, f"/api/jobs/{job}/cancel", json={}), jobs.JobsCancelled) is None
        return found

    found = asyncio.run(scenario())
    assert misfit(found["LASTS"], jobs.RunningJob) is None
    for each in ("ToyPreview", "ToyRaise"):
        assert misfit(found[each], jobs.EndedJob) is None


def test_what_post_prompt_answers_is_as_promised(serve: Serve) -> None:
    async def scenario() -> tuple[Any, Any, Any]:
        async with serve() as client:
            return (
                await said(client, "/prompt", json={"prompt": HALF}),
                await said(client, "/prompt", 400, json={"prompt": REFUSED}),
                await said(client, "/prompt", 400, json={}),
            )

    half, refused, empty = asyncio.run(scenario())
    assert half["node_errors"]
    assert misfit(half, prompts.PromptAnswer) is None
    assert misfit(refused, prompts.PromptRefusal) is None
    assert misfit(empty, prompts.PromptRefusal) is None


def test_a_refusal_is_as_promised(serve: Serve) -> None:
    async def scenario() -> list[Any]:
        async with serve(wait=False) as client:
            paths = [("/nowhere", 404), ("/api/jobs?limit=x", 400), ("/view?filename=x", 404), ("/api/jobs/x", 404)]
            return [await said(client, path, status) for path, status in paths]

    assert [misfit(each, files.Failure) for each in asyncio.run(scenario())] == [None] * 4


def test_a_misfit_is_named_by_its_place() -> None:
    assert misfit({"exec_info": {}}, prompts.QueueInfo) == (
        "answer.exec_info: ['queue_remaining'] are missing, [] are unknown"
    )
    assert misfit({"exec_info": {"queue_remaining": True}}, prompts.QueueInfo) is not None
    assert misfit({"cancelled": False, "more": 1}, jobs.JobsCancelled) is not None


async def followed(client: Client, job: str, is_enough: Callable[[Events], bool]) -> Events:
    """The events of a job from its beginning, until there are enough of them."""
    found: Events = []
    async with asyncio.timeout(PATIENCE), client.get(f"/api/jobs/{job}/events") as stream:
        type = ""
        while not is_enough(found):
            name, _, value = (await stream.content.readline()).decode().rstrip("\n").partition(": ")
            if name == "event":
                type = value
            elif name == "data":
                found.append((type, json.loads(value)))
    return found


def test_a_page_that_is_opened_anew_learns_from_the_stream_what_each_node_does(serve: Serve) -> None:
    """By event streams alone: it knows no number and may have another client id than the page that queued the job."""
    lasting = {
        "1": {"class_type": "ToyPreview", "inputs": {"value": 5, "steps": 2, "seconds": 0.1}},
        "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
        "3": {"class_type": "ToySleep", "inputs": {"value": ["1", 0], "seconds": 60, "steps": 600}},
        "4": {"class_type": "ToyShow", "inputs": {"value": ["3", 0]}},
    }

    def is_on_its_way(found: Events) -> bool:
        return any(type == "progress" and data["node"] == "3" and data["value"] > 2 for type, data in found)

    async def scenario() -> tuple[Events, str]:
        async with serve() as client:
            job = await post(client, lasting, client_id="closed since")
            found = await followed(client, job, is_on_its_way)
            again = await followed(client, job, lambda events: len(events) == len(found))
            await client.post(f"/api/jobs/{job}/cancel")
            assert again == found
            return again, job

    found, job = asyncio.run(scenario())
    shapes = get_type_hints(messages.Messages)
    assert [bad for type, data in found if (bad := misfit(data, shapes[type], type))] == []
    states = [data["nodes"] for type, data in found if type == "progress_state"][-1]
    assert {node: each["state"] for node, each in states.items()}["1"] == "finished"
    assert states["3"]["state"] == "running"
    assert states["3"]["value"] > 0
    shown = [data for type, data in found if type == "executed"]
    assert [(each["node"], each["prompt_id"]) for each in shown] == [("2", job)]
