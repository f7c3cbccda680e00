"""The whole road: prompt, job, worker, events, result, through a real server and a real (toy) worker process."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.server.client import PATIENCE, Client, Serve, ended, post

SUM: dict[str, Any] = {
    "1": {"class_type": "ToyConstant", "inputs": {"value": 2}},
    "2": {"class_type": "ToyAdd", "inputs": {"a": ["1", 0], "b": 3}},
    "3": {"class_type": "ToySave", "inputs": {"value": ["2", 0], "filename_prefix": "sum"}},
}
SLOW: dict[str, Any] = {
    "1": {"class_type": "ToySleep", "inputs": {"value": 1, "seconds": 60, "steps": 600}},
    "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
}


def slow(value: int) -> dict[str, Any]:
    return {**SLOW, "1": {**SLOW["1"], "inputs": {**SLOW["1"]["inputs"], "value": value}}}


async def messages(client: Client, name: str) -> tuple[Any, list[dict[str, Any]]]:
    """A socket and the list its JSON messages are added to."""
    socket = await client.ws_connect(f"/ws?clientId={name}")
    seen: list[dict[str, Any]] = []

    async def listen() -> None:
        async for message in socket:
            if isinstance(message.data, str):
                seen.append(json.loads(message.data))

    return (socket, asyncio.create_task(listen())), seen


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def is_end(message: dict[str, Any]) -> bool:
    return message["type"] == "executing" and message["data"]["node"] is None


def test_a_prompt_becomes_a_file_and_a_history_entry(serve: Serve, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serve() as client:
            job = await post(client, SUM)
            entry = await ended(client, job)
            assert entry["status"]["status_str"] == "success"
            (shown,) = entry["outputs"]["3"]["images"]
            assert (tmp_path / "output" / shown["subfolder"] / shown["filename"]).is_file()
            assert entry["prompt"][1] == job

    asyncio.run(scenario())


def test_messages_come_in_the_order_clients_rely_on(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as client:
            (socket, task), seen = await messages(client, "me")
            await post(client, SUM, client_id="me")
            await until(lambda: any(map(is_end, seen)))
            await socket.close()
            await task
        kinds = [each["type"] for each in seen]
        assert kinds[0] == "status"
        assert kinds[-1] == "executing"
        steps = [kind for kind in kinds if kind not in ("status", "progress_state")]
        assert steps == [
            "execution_start",
            "execution_cached",
            "executing",
            "executing",
            "executing",
            "executed",
            "execution_success",
            "executing",
        ]
        remaining = [
            each["data"]["status"]["exec_info"]["queue_remaining"] for each in seen if each["type"] == "status"
        ]
        assert remaining == [0, 1, 1, 0]
        assert kinds[-2] == "status", "the number drops before the end mark"
        numbers = [each["id"] for each in seen if "id" in each]
        assert numbers == sorted(set(numbers))

    asyncio.run(scenario())


def test_a_job_is_in_the_queue_or_in_the_history_and_never_in_neither(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as client:
            job = await post(client, SUM)
            async with asyncio.timeout(PATIENCE):
                while True:
                    queue = await (await client.get("/queue")).json()
                    history = await (await client.get("/history")).json()
                    queued = [each[1] for each in (*queue["queue_running"], *queue["queue_pending"])]
                    assert job in queued or job in history
                    if job in history:
                        return

    asyncio.run(scenario())


def test_jobs_run_in_the_order_of_their_numbers(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as client:
            first = await post(client, slow(0))
            await until_running(client, first)
            late = await post(client, slow(1))
            early = await post(client, slow(2), front=True)
            for expected in (early, late):
                await client.post("/interrupt")
                await until_running(client, expected)
            await client.post("/interrupt")
            await ended(client, late)

    asyncio.run(scenario())


def test_interrupting_ends_what_runs_and_nothing_else(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as client:
            running, waiting = await post(client, slow(1)), await post(client, SUM)
            await until_running(client, running)
            assert (await client.post("/interrupt", json={"prompt_id": waiting})).status == 200
            assert (await client.post("/interrupt")).status == 200
            entry = await ended(client, running)
            assert entry["status"]["status_str"] == "error"
            assert entry["status"]["messages"][-1][0] == "execution_interrupted"
            assert (await ended(client, waiting))["status"]["status_str"] == "success"

    asyncio.run(scenario())


def test_a_node_that_ends_its_process_fails_its_job_and_the_next_one_runs(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as client:
            bad = {
                "1": {"class_type": "ToySegfault", "inputs": {"value": 1}},
                "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
            }
            broken, good = await post(client, bad), await post(client, SUM)
            entry = await ended(client, broken)
            kind, data = entry["status"]["messages"][-1]
            assert kind == "execution_error"
            assert data["cause"] == "crashed"
            assert data["node_id"] == "1"
            assert "SIGSEGV" in data["exception_message"]
            assert (await ended(client, good))["status"]["status_str"] == "success"

    asyncio.run(scenario())


def test_a_cancelled_job_that_waits_never_runs(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as client:
            running, waiting = await post(client, slow(1)), await post(client, SUM)
            await until_running(client, running)
            answer = await client.post(f"/api/jobs/{waiting}/cancel")
            assert await answer.json() == {"cancelled": True}
            job = await (await client.get(f"/api/jobs/{waiting}")).json()
            assert job["status"] == "cancelled"
            answer = await client.post(f"/api/jobs/{running}/cancel")
            assert await answer.json() == {"cancelled": True}
            assert (await ended(client, running))["status"]["messages"][-1][0] == "execution_interrupted"
            assert await (await client.get(f"/history/{waiting}")).json() == {}

    asyncio.run(scenario())


def test_jobs_wait_while_the_server_is_away(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve("--start-delay", "60", wait=False) as client:
            # The node types of an earlier start are not there yet: the first server teaches them.
            assert (await client.get("/system_stats")).status == 200
        async with serve() as client:
            running = await post(client, slow(1))
            waiting = await post(client, SUM)
            await until_running(client, running)
        async with serve() as client:
            await until_running(client, running)
            await client.post("/interrupt")
            assert (await ended(client, waiting))["status"]["status_str"] == "success"

    asyncio.run(scenario())


async def until_running(client: Client, job: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            queue = await (await client.get("/queue")).json()
            if any(each[1] == job for each in queue["queue_running"]):
                return
            await asyncio.sleep(0.02)


def show_all(*values: int) -> dict[str, Any]:
    """One output node after the other, with a pause between them."""
    nodes: dict[str, Any] = {}
    before: Any = 0
    for index, value in enumerate(values):
        nodes[f"wait{index}"] = {
            "class_type": "ToySleep",
            "inputs": {"value": before if index == 0 else [f"wait{index - 1}", 0], "seconds": 0.5, "steps": 5},
        }
        nodes[f"sum{index}"] = {"class_type": "ToyAdd", "inputs": {"a": [f"wait{index}", 0], "b": value}}
        nodes[f"show{index}"] = {"class_type": "ToyShow", "inputs": {"value": [f"sum{index}", 0]}}
    return nodes


@pytest.mark.slow
def test_a_disk_that_refuses_for_a_while_costs_nothing_that_happened_meanwhile(serve: Serve, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serve() as client:
            (socket, task), seen = await messages(client, "me")
            job = await post(client, show_all(1, 2, 3), client_id="me")
            await until(lambda: any(each["type"] == "executed" for each in seen))
            lock = sqlite3.connect(tmp_path / "user" / "jobs.sqlite", isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(8)  # longer than a writer waits for a lock
            assert (await client.get("/prompt")).status == 200
            lock.execute("ROLLBACK")
            lock.close()
            entry = await ended(client, job)
            await until(lambda: any(map(is_end, seen)))
            await socket.close()
            await task
        assert sorted(entry["outputs"]) == ["show0", "show1", "show2"]
        assert entry["status"]["messages"][-1][0] == "execution_success"
        told = [(each["type"], each["data"].get("node")) for each in seen if each["type"] in ("executing", "executed")]
        assert len(told) == len(set(told)) == 3 * 3 + 3 + 1
        numbers = [each["id"] for each in seen if "id" in each]
        assert numbers == sorted(set(numbers))

    asyncio.run(scenario())


def test_stopping_the_server_does_not_count_against_the_job_that_ran(serve: Serve) -> None:
    async def scenario() -> None:
        job = ""
        for start in range(4):
            async with serve(max_attempts=2) as client:
                job = job or await post(client, slow(1))
                await until_running(client, job)
                if start == 3:
                    await client.post("/interrupt")
                    entry = await ended(client, job)
                    assert entry["status"]["messages"][-1][0] == "execution_interrupted"

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_stop_while_the_disk_refuses_runs_the_job_again_and_loses_nothing(serve: Serve, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serve() as client:
            (socket, task), seen = await messages(client, "me")
            job = await post(client, show_all(1, 2, 3, 4), client_id="me")
            await until(lambda: any(each["type"] == "executed" for each in seen))
            await socket.close()
            await task
            lock = sqlite3.connect(tmp_path / "user" / "jobs.sqlite", isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(0.5)
        lock.execute("ROLLBACK")
        lock.close()
        async with serve() as client:
            entry = await ended(client, job)
            assert sorted(entry["outputs"]) == ["show0", "show1", "show2", "show3"]
            assert entry["status"]["status_str"] == "success"
            socket = await client.ws_connect("/ws?clientId=me&since=0")
            told: list[dict[str, Any]] = []
            async with asyncio.timeout(PATIENCE):
                while not (told and is_end(told[-1])):
                    told.append(json.loads((await socket.receive()).data))
            await socket.close()
        executed = [each["data"]["node"] for each in told if each["type"] == "executed"]
        assert sorted(executed) == ["show0", "show1", "show2", "show3"]

    asyncio.run(scenario())
