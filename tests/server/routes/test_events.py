"""A job followed by server-sent events."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from server.jobs.job import State
from tests.server.listening import PATIENCE, Place, a_place, lines, preview, until


def run(folder: Path, scenario: Any, **options: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(PATIENCE), a_place(folder, **options) as place:
            await scenario(place)

    asyncio.run(whole())


async def read(place: Place, job: str, query: str = "", **options: Any) -> list[dict[str, str]]:
    """Everything until the server ends the stream, but for the hint about reconnecting."""
    async with place.client.get(f"/api/jobs/{quote(job, safe='')}/events{query}", **options) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        return [each async for each in lines(response) if "id" in each]


def test_a_job_that_has_ended_is_told_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.happen(await place.job("a"), ("execution_start", {"timestamp": 5}), preview("a", "1"))
        await place.end("a")
        start, end = await read(place, "a")
        assert start["event"] == "execution_start"
        assert json.loads(start["data"]) == {"timestamp": 5, "prompt_id": "a"}
        assert (end["event"], json.loads(end["data"])["node"]) == ("executing", None)
        assert int(start["id"]) < int(end["id"])

    run(tmp_path, scenario)


def test_the_first_line_says_when_to_come_back(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        await place.end("a")
        async with place.client.get("/api/jobs/a/events") as response:
            assert await response.content.readline() == b"retry: 1000\n"

    run(tmp_path, scenario)


def test_a_running_job_is_followed_to_its_end(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("b", "other")
        await place.happen(await place.job("a"), ("executing", {"node": "1"}))
        reading = asyncio.create_task(read(place, "a"))
        await until(lambda: place.hub.is_followed("a"))
        for node in "234":
            await place.happen("a", ("executing", {"node": node}))
            await place.happen("b", ("executing", {"node": "x"}), client_id="other")
        await place.end("a")
        assert [json.loads(each["data"])["node"] for each in await reading] == ["1", "2", "3", "4", None]
        await until(lambda: not place.hub.is_followed("a"))

    run(tmp_path, scenario)


def test_a_job_may_wait_run_fail_and_run_again_while_it_is_followed(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.waiting_job("a")
        reading = asyncio.create_task(read(place, "a"))
        await until(lambda: place.hub.is_followed("a"))
        await place.jobs.start("a", "worker-0")
        await place.happen("a", ("execution_start", {}))
        await place.jobs.requeue("a")
        await place.jobs.start("a", "worker-0")
        await place.happen("a", ("execution_start", {}))
        await place.end("a")
        assert [each["event"] for each in await reading] == ["execution_start", "execution_start", "executing"]

    run(tmp_path, scenario)


def test_a_client_that_comes_back_gets_the_rest(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.happen(await place.job("a"), *[("executing", {"node": str(n)}) for n in range(5)])
        await place.end("a")
        everything = await read(place, "a")
        third = everything[2]["id"]
        assert await read(place, "a", f"?since={third}") == everything[3:]
        assert await read(place, "a", "?since=0", headers={"Last-Event-ID": third}) == everything[3:]
        for header in ("", " "):
            assert await read(place, "a", headers={"Last-Event-ID": header}) == everything
            assert await read(place, "a", f"?since={third}", headers={"Last-Event-ID": header}) == everything[3:]

    run(tmp_path, scenario)


async def status(place: Place, query: str = "", **headers: str) -> int:
    async with place.client.get(f"/api/jobs/a/events{query}", headers=headers) as response:
        if response.status == 204:
            assert await response.read() == b""
        return response.status


def test_a_browser_that_has_heard_the_end_is_told_not_to_come_back(tmp_path: Path) -> None:
    """EventSource connects again whenever a stream ends, unless the answer is 204."""

    async def scenario(place: Place) -> None:
        await place.happen(await place.job("a"), ("execution_start", {}))
        await place.job("b")
        running = await place.client.get("/api/jobs/a/events?since=99999999")
        assert running.status == 200
        await place.end("a")
        assert [each async for each in lines(running) if "id" in each] != []
        await place.happen("b", ("execution_start", {}))
        first, last = (each["id"] for each in await read(place, "a"))
        assert await status(place, **{"Last-Event-ID": first}) == 200
        assert await status(place, **{"Last-Event-ID": last}) == 204
        assert await status(place, f"?since={last}") == 204
        assert await status(place, "?since=99999999") == 204

    run(tmp_path, scenario)


def test_a_job_that_ended_without_a_word_keeps_no_browser_coming(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        await place.jobs.finish("a", State.SUCCEEDED, [])
        assert await status(place) == 204

    run(tmp_path, scenario)


def test_a_busy_job_is_told_without_gap_or_repetition(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        total = 2000

        async def happen_all() -> None:
            for n in range(0, total, 10):
                await place.happen("a", *[("executing", {"node": str(n + each)}) for each in range(10)])
            await place.end("a")

        running = asyncio.create_task(happen_all())
        readings = []
        for _ in range(10):
            readings.append(asyncio.create_task(read(place, "a")))
            await asyncio.sleep(0.01)
        await running
        for reading in readings:
            nodes = [json.loads(each["data"])["node"] for each in await reading]
            assert nodes == [*map(str, range(total)), None]

    run(tmp_path, scenario)


def test_a_job_that_is_withdrawn_ends_its_stream(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.waiting_job("a")
        reading = asyncio.create_task(read(place, "a"))
        await until(lambda: place.hub.is_followed("a"))
        assert await place.dispatcher.withdraw(["a"]) == ["a"]
        assert (await reading)[-1]["event"] == "executing"

    run(tmp_path, scenario)


def test_a_job_that_ends_without_a_word_ends_its_stream(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        reading = asyncio.create_task(read(place, "a"))
        await until(lambda: place.hub.is_followed("a"))
        await place.jobs.finish("a", State.SUCCEEDED, [])
        place.hub.publish("a", "me", ())
        assert await reading == []

    run(tmp_path, scenario)


def test_silence_is_broken_by_comments_and_ends_with_the_job(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        async with place.client.get("/api/jobs/a/events") as response:
            comments = 0
            async for line in response.content:
                if line.startswith(b":"):
                    comments += 1
                    if comments == 3:
                        await place.jobs.finish("a", State.SUCCEEDED, [])  # told to nobody
        assert comments >= 3

    run(tmp_path, scenario, quiet=0.02)


def test_a_forgotten_job_ends_its_stream(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        reading = asyncio.create_task(read(place, "a"))
        await until(lambda: place.hub.is_followed("a"))
        await place.jobs.finish("a", State.SUCCEEDED, [])
        await place.jobs.forget(["a"])
        place.hub.publish("a", "me", ())
        assert await reading == []

    run(tmp_path, scenario)


def test_an_unknown_job_is_not_found(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        async with place.client.get("/api/jobs/nobody/events") as answer:
            assert answer.status == 404
            assert await answer.json() == {"error": "Job not found"}

    run(tmp_path, scenario)


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        async with place.client.get("/api/jobs/a/events?since=-4") as answer:
            assert answer.status == 400
            assert "since: expected the number of an event, got '-4'" in (await answer.json())["error"]
        async with place.client.get("/api/jobs/a/events", headers={"Last-Event-ID": "x"}) as answer:
            assert "Last-Event-ID" in (await answer.json())["error"]

    run(tmp_path, scenario)


@pytest.mark.parametrize("job", ["a/b", "ä ö?#", "%2F", "a&b=c", "x" * 200])
def test_a_job_may_have_any_id(tmp_path: Path, job: str) -> None:
    async def scenario(place: Place) -> None:
        await place.job(job)
        await place.end(job)
        assert [each["event"] for each in await read(place, job)] == ["executing"]

    run(tmp_path, scenario)


def test_a_follower_that_leaves_is_forgotten(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        response = await place.client.get("/api/jobs/a/events")
        await until(lambda: place.hub.is_followed("a"))
        response.close()
        for _ in range(3):
            await place.happen("a", ("executing", {"node": "1"}))
            await asyncio.sleep(0.01)
        await until(lambda: not place.hub.is_followed("a"))

    run(tmp_path, scenario)


def test_one_follower_too_many_is_refused(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        first = await place.client.get("/api/jobs/a/events")
        assert first.status == 200
        async with place.client.get("/api/jobs/a/events") as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"]
        first.close()

    run(tmp_path, scenario, most=1)
