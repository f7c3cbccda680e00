"""server.routes.prompt: a prompt is accepted once, with the right answer, whatever form it comes in."""

import asyncio
import gzip
import io
import json
import uuid
from pathlib import Path
from typing import Any

from PIL import Image

from engine.graph import describe
from engine.graph.nodetype import Input, NodeType
from engine.metadata import png_info
from server import keys
from server.jobs.job import Job, State
from tests.server.client import Client, Serve, ended
from tests.server.quiet import PROMPT, prompt, quiet, run, snapshot


async def answered(client: Client, **body: Any) -> tuple[int, dict[str, Any]]:
    async with client.post("/prompt", json=body) as answer:
        return answer.status, await answer.json()


async def sent(client: Client, data: bytes) -> tuple[int, dict[str, Any]]:
    async with client.post("/prompt", data=data) as answer:
        return answer.status, await answer.json()


async def stored(client: Client, answer: dict[str, Any]) -> Job:
    job = await client.app[keys.JOBS].get(answer["prompt_id"])
    assert job is not None
    return job


def drawn() -> dict[str, Any]:
    """A workflow as the editor saves it."""
    nodes = [
        {
            "id": 1,
            "type": "EmptyImage",
            "widgets_values": [64, 64, 1, 0],
            "outputs": [{"name": "IMAGE", "type": "IMAGE"}],
        },
        {
            "id": 2,
            "type": "SaveImage",
            "widgets_values": ["box"],
            "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
        },
        {"id": 3, "type": "Note", "widgets_values": ["a note"]},
        {"id": 4, "type": "ShowWords", "widgets_values": ["a {red|blue} box"]},
    ]
    return {"id": "drawn-1", "nodes": nodes, "links": [[1, 1, 0, 2, 0, "IMAGE"]], "version": 0.4}


WORDS = NodeType("ShowWords", inputs=(Input("text", "STRING", options={"dynamicPrompts": True}),), is_output=True)
"""The editor settles the choices in such a text when it sends a prompt."""


def with_words() -> dict[str, Any]:
    return {**snapshot(), WORDS.id: describe.snapshot(WORDS)}


def picture(**texts: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=png_info(texts.pop("prompt", None), texts))
    return file.getvalue()


def test_a_prompt_is_answered_with_id_number_and_no_errors(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            status, first = await answered(client, prompt=PROMPT, client_id="me")
            assert status == 200
            assert set(first) == {"prompt_id", "number", "node_errors"}
            assert str(uuid.UUID(first["prompt_id"])) == first["prompt_id"]
            assert first["node_errors"] == {}
            _, second = await answered(client, prompt=PROMPT)
            assert second["number"] == first["number"] + 1
            assert second["prompt_id"] != first["prompt_id"]
            job = await stored(client, first)
            assert (job.client_id, job.outputs, job.models, job.unvalidated) == ("me", ["9"], ["icons.safetensors"], [])
            async with client.get("/prompt") as answer:
                assert await answer.json() == {"exec_info": {"queue_remaining": 2}}

    asyncio.run(scenario())


def test_values_are_converted_to_their_types(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            _, answer = await answered(client, prompt=prompt(_3={"seed": "7", "cfg": 2}))
            job = await stored(client, answer)
            assert job.prompt["3"]["inputs"]["seed"] == 7
            assert isinstance(job.prompt["3"]["inputs"]["cfg"], float)

    asyncio.run(scenario())


def test_front_and_number_decide_the_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            ids = {}
            for name, more in (("a", {}), ("b", {}), ("front", {"front": True}), ("own", {"number": 0.5})):
                _, answer = await answered(client, prompt=PROMPT, **more)
                ids[answer["prompt_id"]] = name
            waiting = client.app[keys.JOBS].waiting()
            assert [ids[each.id] for each in waiting] == ["front", "a", "own", "b"]
            assert answer["number"] == 0.5

    asyncio.run(scenario())


def test_the_same_request_again_is_the_same_job(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            body = {"prompt": PROMPT, "prompt_id": str(uuid.uuid4())}
            answers = await asyncio.gather(*(answered(client, **body) for _ in range(5)))
            assert [status for status, _ in answers] == [200] * 5
            assert all(answer == answers[0][1] for _, answer in answers)
            await run(client, body["prompt_id"])
            assert await answered(client, **body) == answers[0]
            assert client.app[keys.JOBS].remaining == 0

    asyncio.run(scenario())


def test_another_request_with_the_same_id_is_a_conflict(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            id = str(uuid.uuid4())
            await answered(client, prompt=PROMPT, prompt_id=id)
            status, answer = await answered(client, prompt=prompt(_3={"seed": 2}), prompt_id=id)
            assert status == 409
            assert answer["error"]["type"] == "prompt_id_conflict"
            assert id in answer["error"]["message"]
            assert answer["node_errors"] == {}

    asyncio.run(scenario())


def test_a_request_that_was_accepted_stays_accepted_when_its_model_is_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            body = {"prompt": PROMPT, "prompt_id": str(uuid.uuid4())}
            accepted = await answered(client, **body)
            (tmp_path / "models" / "checkpoints" / "icons.safetensors").unlink()
            assert (await answered(client, prompt=PROMPT))[0] == 400
            assert await answered(client, **body) == accepted

    asyncio.run(scenario())


def test_outputs_that_cannot_run_are_left_out_and_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            both = {**PROMPT, "10": {"class_type": "PreviewImage", "inputs": {}}}
            status, answer = await answered(client, prompt=both)
            assert status == 200
            assert answer["node_errors"]["10"]["errors"][0]["type"] == "required_input_missing"
            job = await stored(client, answer)
            assert job.outputs == ["9"]

    asyncio.run(scenario())


def test_only_the_targets_are_run(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            both = {**PROMPT, "10": {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}}
            _, answer = await answered(client, prompt=both, partial_execution_targets=["10"])
            job = await stored(client, answer)
            assert job.outputs == ["10"]
            status, answer = await answered(client, prompt=both, partial_execution_targets=["8"])
            assert (status, answer["error"]["type"]) == (400, "prompt_no_outputs")

    asyncio.run(scenario())


def test_the_editors_format_is_answered_with_the_prompt_it_became(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path, with_words()) as client:
            for body in (drawn(), {"prompt": drawn(), "client_id": "me"}, {"workflow": drawn(), "client_id": "me"}):
                status, answer = await sent(client, json.dumps(body).encode())
                assert status == 200, answer
                classes = [node["class_type"] for node in answer["prompt"].values()]
                assert classes == ["EmptyImage", "SaveImage", "ShowWords"]
                assert answer["prompt"]["4"]["inputs"]["text"] in ("a red box", "a blue box")
                assert isinstance(answer["notes"], list)
                job = await stored(client, answer)
                assert job.prompt == answer["prompt"]
                assert job.extra_data["extra_pnginfo"]["workflow"] == drawn()
                assert job.workflow_id == "drawn-1"
                assert job.client_id == ("me" if "client_id" in body else None)

    asyncio.run(scenario())


def test_the_same_drawn_request_again_is_answered_with_the_same_choices(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path, with_words()) as client:
            body = {"prompt": drawn(), "prompt_id": str(uuid.uuid4())}
            answers = [await answered(client, **body) for _ in range(8)]
            assert all(each == answers[0] for each in answers)

    asyncio.run(scenario())


def test_a_bare_prompt_is_taken_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            status, answer = await sent(client, json.dumps(PROMPT).encode())
            assert status == 200
            assert list(answer["prompt"]) == list(PROMPT)

    asyncio.run(scenario())


def test_a_picture_is_run_as_it_was_made(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            status, answer = await sent(client, picture(prompt=PROMPT, workflow=drawn()))
            assert status == 200
            assert answer["prompt"]["3"]["inputs"]["seed"] == 1
            job = await stored(client, answer)
            assert job.extra_data["extra_pnginfo"]["workflow"] == drawn()
            status, answer = await sent(client, picture())
            assert (status, answer["error"]["type"]) == (400, "invalid_prompt")
            assert "no workflow inside" in answer["error"]["message"]

    asyncio.run(scenario())


def test_a_large_prompt_and_a_packed_one_are_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            large = prompt(_6={"text": "cat " * 50_000})
            assert (await answered(client, prompt=large))[0] == 200
            data = gzip.compress(json.dumps({"prompt": large}).encode())
            async with client.post("/prompt", data=data, headers={"Content-Encoding": "gzip"}) as answer:
                assert answer.status == 200

    asyncio.run(scenario())


def test_fifty_large_prompts_at_once_are_all_answered(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            bodies = [{"prompt": prompt(_6={"text": f"{number}" * 70_000})} for number in range(50)]
            answers = await asyncio.gather(*(answered(client, **body) for body in bodies))
            assert [status for status, _ in answers] == [200] * 50
            assert client.app[keys.JOBS].remaining == 50

    asyncio.run(scenario())


def test_secrets_are_shown_to_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quiet(tmp_path) as client:
            secrets = {"auth_token_comfy_org": "hunter2", "api_key_comfy_org": "hunter2"}
            extra = {**secrets, "extra_pnginfo": {"workflow": {"id": "w"}}, "mine": [1]}
            _, answer = await answered(client, prompt=PROMPT, extra_data=extra, client_id="me")
            id = answer["prompt_id"]
            job = await client.app[keys.JOBS].get(id)
            assert job is not None
            assert "api_key_comfy_org" not in job.extra_data  # jobs/test_secrets.py: only who runs it gets it
            for path in ("/queue", f"/api/jobs/{id}", "/api/jobs"):
                async with client.get(path) as shown:
                    text = await shown.text()
                    assert id in text
                    assert "hunter2" not in text
            await run(client, id, State.FAILED)
            for path in ("/history", f"/history/{id}", f"/api/jobs/{id}"):
                async with client.get(path) as shown:
                    text = await shown.text()
                    assert id in text
                    assert "hunter2" not in text

    asyncio.run(scenario())


VALIDATED = {
    "1": {"class_type": "ToyValidated", "inputs": {"value": 7}},
    "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
    "3": {"class_type": "ToyShow", "inputs": {"value": 1}},
}


def validated(**inputs: Any) -> dict[str, Any]:
    return {**VALIDATED, "1": {"class_type": "ToyValidated", "inputs": inputs}}


def test_the_authors_of_nodes_are_asked_on_the_worker(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as client:
            status, answer = await answered(client, prompt=validated(value=7))
            assert (status, answer["node_errors"]) == (200, {})
            assert (await stored(client, answer)).unvalidated == []
            status, answer = await answered(client, prompt=validated(value=700))
            assert status == 200
            assert answer["node_errors"]["1"]["errors"][0]["type"] == "custom_validation_failed"
            assert answer["node_errors"]["1"]["dependent_outputs"] == ["2"]
            assert (await stored(client, answer)).outputs == ["3"]
            status, answer = await answered(client, prompt=validated(value=700), partial_execution_targets=["2"])
            assert status == 400
            assert answer["error"]["type"] == "prompt_outputs_failed_validation"
            assert answer["node_errors"]["1"]["errors"][0]["type"] == "custom_validation_failed"

    asyncio.run(scenario())


def test_an_author_who_does_not_answer_in_time_is_asked_when_the_job_runs(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as client:
            status, answer = await answered(client, prompt=validated(value=700, seconds=4.0))
            assert (status, answer["node_errors"]) == (200, {})
            job = await stored(client, answer)
            assert (job.unvalidated, job.outputs) == (["1"], ["2", "3"])
            entry = await ended(client, answer["prompt_id"])
            assert entry["status"]["status_str"] == "error"
            assert entry["status"]["messages"][-1][1]["node_id"] == "1"

    asyncio.run(scenario())


def test_a_prompt_is_taken_while_no_worker_can_be_asked(tmp_path: Path) -> None:
    async def scenario() -> None:
        asks = NodeType("Asks", inputs=(Input("value", "INT"),), is_output=True, validate_inputs=("value",))
        async with quiet(tmp_path, {"Asks": describe.snapshot(asks)}) as client:
            graph = {"1": {"class_type": "Asks", "inputs": {"value": 1}}, "2": {"class_type": "Asks", "inputs": {}}}
            status, answer = await answered(client, prompt=graph)
            assert (status, list(answer["node_errors"])) == (200, ["2"])
            job = await stored(client, answer)
            assert (job.unvalidated, job.outputs) == (["1"], ["1"])

    asyncio.run(scenario())
