"""The socket as clients of all ages use it."""

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from server import keys
from server.jobs.job import Frame
from tests.server.client import Serve, ended, post
from tests.server.listening import END, PATIENCE, Place, a_place, message, messages, numbers, preview, step, until

FLAGS = {"supports_preview_metadata": True, "supports_progress_text_metadata": True}


def run(folder: Path, scenario: Any, **options: Any) -> None:
    async def whole() -> None:
        async with a_place(folder, **options) as place:
            await scenario(place)

    asyncio.run(whole())


async def announce(ws: Any, flags: dict[str, Any] | None = None) -> dict[str, Any]:
    await ws.send_json({"type": "feature_flags", "data": FLAGS if flags is None else flags})
    return await message(ws)


def test_the_first_message_is_the_status_with_the_id(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.waiting_job("a")
        ws = await place.client.ws_connect("/ws?clientId=me")
        data = {"status": {"exec_info": {"queue_remaining": 1}}, "sid": "me"}
        assert await message(ws) == {"type": "status", "data": data}

    run(tmp_path, scenario)


@pytest.mark.parametrize("query", ["", "?clientId="])
def test_a_client_without_an_id_is_given_one(tmp_path: Path, query: str) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.client.ws_connect(f"/ws{query}")
        sid = (await message(ws))["data"]["sid"]
        assert len(sid) == 32
        assert int(sid, 16) >= 0

    run(tmp_path, scenario)


def test_messages_begin_with_their_type_and_end_with_their_number(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await place.happen(await place.job("a"), ("execution_start", {"timestamp": 5}))
        text = (await ws.receive(timeout=PATIENCE)).data
        assert text.startswith('{"type": "execution_start", "data": {')
        assert list(json.loads(text)) == ["type", "data", "id"]

    run(tmp_path, scenario)


def test_flags_are_answered_when_they_come_first(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await ws.send_bytes(b"not text, so not first")
        answer = await announce(ws)
        assert answer["type"] == "feature_flags"
        assert answer["data"]["supports_preview_metadata"] is True
        assert answer["data"]["max_upload_size"] == 7 << 20

    run(tmp_path, scenario, max_upload_size=7 << 20)


def test_flags_are_ignored_when_they_come_later(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await ws.send_str("hello")
        await ws.send_json({"type": "feature_flags", "data": FLAGS})
        await ws.ping()
        await place.happen(await place.job("a"), preview("a", "1"), ("executed", {}))
        received = await ws.receive(timeout=PATIENCE)
        assert received.type is WSMsgType.BINARY
        assert struct.unpack(">II", received.data[:8]) == (1, 1)

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '{"type": 3}',
        '{"type": ["feature_flags"]}',
        "[" * 60_000,
        "9" * 60_000,
        "x" * 900_000,
        '{"type": "status", "data": {}}',
    ],
)
def test_rubbish_is_ignored(tmp_path: Path, text: str) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await ws.send_str(text)
        await ws.send_bytes(b"\x00" * 1000)
        await ws.send_str(text)
        await place.happen(await place.job("a"), ("executed", {}))
        assert (await message(ws))["type"] == "executed"

    run(tmp_path, scenario)


@pytest.mark.parametrize("data", [None, [], "yes", {"supports_preview_metadata": "yes"}])
def test_flags_that_are_none_change_nothing(tmp_path: Path, data: Any) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await ws.send_json({"type": "feature_flags", "data": data})
        assert (await message(ws))["type"] == "feature_flags"
        await place.happen(await place.job("a"), preview("a", "1"), ("executed", {}))
        assert (await ws.receive(timeout=PATIENCE)).data[:4] == b"\0\0\0\1"

    run(tmp_path, scenario)


def test_a_message_that_is_too_long_ends_only_its_own_socket(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        other, ws = await place.connect("clientId=other"), await place.connect()
        await ws.send_str("x" * (2 << 20))
        received = await ws.receive(timeout=PATIENCE)
        assert received.type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        await place.happen(await place.job("a", "other"), ("executed", {}), client_id="other")
        assert (await message(other))["type"] == "executed"

    run(tmp_path, scenario)


def test_a_preview_with_metadata_comes_before_its_step(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await announce(ws)
        await place.job("a")
        await place.happen("a", preview("a", "1", b"\xff\xd8"), step("a", "1", 1))
        frame = (await ws.receive(timeout=PATIENCE)).data
        event, length = struct.unpack(">II", frame[:8])
        assert event == 4
        assert json.loads(frame[8 : 8 + length]) == {"node_id": "1", "prompt_id": "a", "image_type": "image/jpeg"}
        assert frame[8 + length :] == b"\xff\xd8"
        assert (await message(ws))["type"] == "progress"

    run(tmp_path, scenario)


def test_an_old_preview_comes_after_its_step(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await place.job("a")
        await place.happen("a", preview("a", "1", b"png", "image/png"), ("progress_state", {}))
        await place.happen("a", step("a", "2", 1), step("a", "1", 1), ("executed", {}))
        assert (await message(ws))["type"] == "progress_state"
        assert (await message(ws))["data"]["node"] == "2"
        assert (await message(ws))["data"]["node"] == "1"
        assert (await ws.receive(timeout=PATIENCE)).data == struct.pack(">II", 1, 2) + b"png"
        assert (await message(ws))["type"] == "executed"

    run(tmp_path, scenario)


def test_an_old_preview_without_a_step_comes_before_what_happens_next(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await place.job("a")
        await place.happen("a", preview("a", "1", b"one"), preview("a", "1", b"two"), ("executed", {}))
        assert (await ws.receive(timeout=PATIENCE)).data[8:] == b"one"
        assert (await ws.receive(timeout=PATIENCE)).data[8:] == b"two"
        assert (await message(ws))["type"] == "executed"

    run(tmp_path, scenario)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_text_names_its_prompt_for_clients_that_know_it(tmp_path: Path, is_new: bool) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await announce(ws, FLAGS if is_new else {})
        await place.happen(await place.job("a"), Frame("text", "12", "Käse".encode(), meta={"prompt_id": "a"}))
        prompt = struct.pack(">I", 1) + b"a" if is_new else b""
        wanted = struct.pack(">I", 3) + prompt + struct.pack(">I", 2) + b"12" + "Käse".encode()
        assert (await ws.receive(timeout=PATIENCE)).data == wanted

    run(tmp_path, scenario)


def test_a_run_is_told_to_its_client_only_and_the_status_to_all(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        mine, other = await place.connect(), await place.connect("clientId=other")
        await place.happen(await place.job("a"), ("execution_start", {}))
        await place.happen(await place.job("b", None), ("execution_start", {}), client_id=None)
        place.hub.status(2)
        assert [(await message(mine))["type"] for _ in range(2)] == ["execution_start", "status"]
        assert (await message(other)) == {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 2}}}}

    run(tmp_path, scenario)


def test_a_new_socket_of_a_client_replaces_the_old_one(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        old, new = await place.connect(), await place.connect()
        await place.happen("a", ("executed", {"node": "1"}))
        assert (await message(new))["type"] == "executed"
        place.hub.status(5)
        assert (await message(old))["type"] == "status"  # still open, but told nothing of the run
        await old.close()
        await until(lambda: len(place.hub._sockets) == 1)
        await place.happen("a", ("executed", {"node": "2"}))
        assert (await message(new))["type"] == "status"
        assert (await message(new))["data"]["node"] == "2"

    run(tmp_path, scenario)


def test_a_client_that_comes_back_gets_the_rest(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await place.happen(await place.job("a"), *[("executing", {"node": str(n)}) for n in range(5)])
        await place.happen(await place.job("b", "other"), ("executing", {"node": "x"}), client_id="other")
        last = [await message(ws) for _ in range(2)][-1]["id"]
        await ws.close()
        await place.end("a")
        again = await place.connect(f"clientId=me&since={last}")
        rest = [await message(again) for _ in range(4)]
        assert [each["data"]["node"] for each in rest] == ["2", "3", "4", None]
        header = await place.connect("clientId=me&since=0", headers={"Last-Event-ID": str(rest[1]["id"])})
        assert [(await message(header))["data"]["node"] for _ in range(2)] == ["4", None]

    run(tmp_path, scenario)


def test_a_client_that_comes_back_during_a_run_misses_and_repeats_nothing(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        total = 3000

        async def happen_all() -> None:
            for n in range(0, total, 10):
                await place.happen("a", *[("executing", {"node": str(n + each)}) for each in range(10)])
            await place.end("a")

        running = asyncio.create_task(happen_all())
        seen: list[dict[str, Any]] = []
        while len(seen) <= total:
            last = seen[-1]["id"] if seen else 0
            ws = await place.connect(f"clientId=me&since={last}")
            for _ in range(min(250, total + 1 - len(seen))):
                found = await message(ws)
                seen += [found] if found["type"] != "status" else []
            asyncio.create_task(ws.close())  # noqa: RUF006 -- a storm: the next comes before this one has left
        await running
        assert [each["data"]["node"] for each in seen] == [*map(str, range(total)), None]
        assert numbers(seen) == sorted(set(numbers(seen)))

    run(tmp_path, scenario)


def test_what_happened_before_a_restart_of_the_server_is_told_after_it(tmp_path: Path) -> None:
    async def before(place: Place) -> None:
        await place.happen(await place.job("a"), *[("executing", {"node": str(n)}) for n in range(3)])
        await place.end("a")

    async def after(place: Place) -> None:
        ws = await place.connect("clientId=me&since=1")
        await place.end(await place.job("b"))
        found = [await message(ws) for _ in range(4)]
        assert [each["data"]["node"] for each in found] == ["1", "2", None, None]
        assert [each["data"]["prompt_id"] for each in found] == ["a", "a", "a", "b"]

    run(tmp_path, before)
    run(tmp_path, after)


def test_a_client_that_connects_during_its_run_is_told_the_node(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as client:
            prompt = {
                "1": {"class_type": "ToySleep", "inputs": {"value": 1, "seconds": 60.0, "steps": 600}},
                "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
            }
            job = await post(client, prompt, client_id="me")
            dispatcher = client.app[keys.DISPATCHER]
            await until(lambda: dispatcher.running("me"))
            mine, other = await client.ws_connect("/ws?clientId=me"), await client.ws_connect("/ws?clientId=other")
            assert (await message(mine))["type"] == "status"
            assert await message(mine) == {"type": "executing", "data": {"node": "1"}}
            assert (await message(other))["type"] == "status"
            async with client.post("/interrupt"):
                await ended(client, job)
            assert (await messages(mine, "execution_interrupted"))[-1]["data"]["node_id"] == "1"
            assert (await message(other))["type"] == "status"

    asyncio.run(scenario())


@pytest.mark.parametrize("since", ["-1", "x", "", "1.5", "٣", "1" * 40, "1e3"])
def test_a_number_that_is_none_is_refused(tmp_path: Path, since: str) -> None:
    async def scenario(place: Place) -> None:
        for options in ({"params": {"since": since}}, {"headers": {"Last-Event-ID": since}}):
            name = "since" if "params" in options else "Last-Event-ID"
            if name == "Last-Event-ID" and not (since and since.isascii()):
                continue  # an empty header is as good as none
            with pytest.raises(WSServerHandshakeError) as refusal:
                await place.client.ws_connect("/ws", **options)
            assert refusal.value.status == 400
        async with place.client.get("/ws", params={"since": since}, headers=HANDSHAKE) as answer:
            assert "since: expected the number of an event" in (await answer.json())["error"]

    run(tmp_path, scenario)


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_a_number_beyond_all_events_means_the_latest(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.happen(await place.job("a"), ("executing", {"node": "1"}))
        ws = await place.connect("clientId=me&since=999999999")
        await place.happen("a", ("executing", {"node": "2"}))
        assert (await message(ws))["data"]["node"] == "2"

    run(tmp_path, scenario)


def test_a_request_that_is_no_handshake_is_refused(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        async with place.client.get("/ws") as answer:
            assert answer.status == 400
            assert "WebSocket" in (await answer.json())["error"]

    run(tmp_path, scenario)


def test_one_socket_too_many_is_refused(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        first = await place.connect("clientId=1")
        await place.connect("clientId=2")
        with pytest.raises(WSServerHandshakeError) as refusal:
            await place.client.ws_connect("/ws?clientId=3")
        assert refusal.value.status == 503
        await first.close()
        await until(lambda: len(place.hub._sockets) == 1)
        await place.connect("clientId=3")

    run(tmp_path, scenario, most=2)


def test_a_storm_of_reconnections_leaves_nothing_behind(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")

        async def come_and_go(n: int) -> None:
            ws = await place.connect(f"clientId=me&since={n % 3}" if n % 2 else "clientId=me")
            if n % 3:
                await ws.close()
            else:  # without a word
                ws._response.close()  # type: ignore[union-attr]

        for _ in range(10):
            await asyncio.gather(*[come_and_go(n) for n in range(20)], place.happen("a", ("executed", {})))
        await until(lambda: place.hub._count == 0)
        assert not place.hub._clients
        ws = await place.connect("clientId=me&since=0")
        await place.happen("a", END)
        assert len(await messages(ws, "executing")) == 11

    run(tmp_path, scenario)
