"""Clients that do not read, and the end of the server: nobody waits for anybody, and memory stays bounded."""

import asyncio
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType

from server.events.mailbox import LARGE_LIMIT, LIMIT
from tests.server.listening import PATIENCE, Place, a_place, message, messages, preview, until

SILENT = 50
KIB = 1024


def run(folder: Path, scenario: Any, **options: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(PATIENCE), a_place(folder, **options) as place:
            await scenario(place)

    asyncio.run(whole())


async def silent(place: Place, path: str) -> socket.socket:
    """A client that asks for a socket or an event stream, and never reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", place.client.port))
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    await loop.sock_sendall(client, "\r\n".join([*lines, "", ""]).encode())
    return client


async def silent_sockets(place: Place, n: int = SILENT, client_id: str = "silent") -> list[socket.socket]:
    clients = [await silent(place, f"/ws?clientId={client_id}-{each}") for each in range(n)]
    await until(lambda: len(place.hub._sockets) >= n)
    return clients


def waiting(place: Place) -> Sequence[int]:
    """What waits for each socket, in the hub and in its transport."""
    boxes = [each.mailbox for each in place.hub._sockets]
    return [each.waiting + each._unsent() for each in boxes]


def test_clients_that_never_read_are_dropped_and_delay_nobody(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        others = await silent_sockets(place)
        ws, job = await place.connect(), await place.job("a")
        slowest, most = 0.0, 0
        for n in range(400):
            for each in range(SILENT):
                place.publish_filler("b", 1, size=32 * KIB, client_id=f"silent-{each}")
            began = time.perf_counter()
            await place.happen(job, ("executing", {"node": str(n)}))
            assert (await message(ws))["data"]["node"] == str(n)
            slowest = max(slowest, time.perf_counter() - began)
            most = max(most, *waiting(place))
            if place.tally.clients_dropped == SILENT:
                break
        await until(lambda: place.tally.clients_dropped == SILENT)
        assert most <= LIMIT + 64 * KIB
        assert slowest < 5  # a client that is waited for takes for ever
        assert len(place.hub._sockets) == 1
        for each in others:
            each.close()

    run(tmp_path, scenario)


def test_a_client_that_answers_no_ping_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.routes.socket.HEARTBEAT", 0.2)

    async def scenario(place: Place) -> None:
        (idle,) = await silent_sockets(place, 1, "idle")
        (full,) = await silent_sockets(place, 1, "full")
        place.publish_filler("b", 1, size=20 << 20, client_id="full-0")
        await until(lambda: not place.hub._sockets)
        for each in (idle, full):
            each.close()

    run(tmp_path, scenario)


def test_a_client_that_is_dropped_can_come_back_for_the_rest(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        job, text = await place.job("a"), "x" * 50 * KIB
        (lazy,) = await silent_sockets(place, 1, "me")
        n = 0
        while not place.tally.clients_dropped:
            await place.happen(job, ("executed", {"node": str(n), "text": text}), client_id="me-0")
            n += 1
        lazy.close()
        ws = await place.connect("clientId=me&since=0")
        await place.end(job)
        found = await messages(ws, "executing")
        assert [each["data"]["node"] for each in found] == [*map(str, range(n)), None]

    run(tmp_path, scenario)


def test_a_slow_client_gets_the_last_status_only(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        (lazy,) = await silent_sockets(place, 1)
        (receiver,) = place.hub._sockets
        while receiver.mailbox.waiting < LIMIT // 2:
            place.publish_filler("b", 1, size=32 * KIB, client_id="silent-0")
            await asyncio.sleep(0)
        before = receiver.mailbox.waiting
        for n in range(20_000):
            place.hub.status(n)
        assert receiver.mailbox.waiting - before < KIB
        lazy.close()

    run(tmp_path, scenario)


def test_finished_pictures_larger_than_the_box_arrive_all_the_same(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        ws, job = await place.connect(), await place.job("a")
        picture = bytes(3 << 20)
        frames = [preview(job, "1", picture, "image/png") for _ in range(8)]
        await place.happen(job, *frames, ("executed", {}))
        for _ in range(8):
            received = await ws.receive(timeout=PATIENCE)
            assert received.type is WSMsgType.BINARY
            assert len(received.data) == len(picture) + 8
        assert (await message(ws))["type"] == "executed"

    run(tmp_path, scenario)


def test_pictures_for_a_client_that_never_reads_are_bounded_too(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        (lazy,) = await silent_sockets(place, 1)
        await place.job("a", "silent-0")
        picture, most = bytes(5 << 20), 0
        while not place.tally.clients_dropped:
            await place.happen("a", preview("a", "1", picture, "image/png"), ("executed", {}), client_id="silent-0")
            most = max([most, *waiting(place)])
        assert most <= 2 * LARGE_LIMIT
        lazy.close()

    run(tmp_path, scenario)


def test_previews_are_left_out_for_a_client_that_has_fallen_behind(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        (lazy,) = await silent_sockets(place, 1)
        job = await place.job("a", "silent-0")
        (receiver,) = place.hub._sockets
        sent = 0
        while sent < 64 << 20:  # more than any kernel's buffers hold
            shown = [preview(job, "1", bytes(100 * KIB)) for _ in range(8)]
            await place.happen(job, *shown, client_id="silent-0")
            sent += 800 * KIB
        assert not receiver.mailbox.is_dropped
        assert receiver.mailbox.waiting < LIMIT
        for _ in range(30):
            await place.happen(job, preview(job, "1", bytes(5 << 20)), client_id="silent-0")
        assert not receiver.mailbox.is_dropped
        assert receiver.mailbox.waiting < LIMIT
        lazy.close()

    run(tmp_path, scenario)


def test_followers_that_never_read_are_dropped(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        job, text = await place.job("a"), "x" * 50 * KIB
        lazy = [await silent(place, "/api/jobs/a/events") for _ in range(5)]
        await until(lambda: len(place.hub._followers.get("a", ())) == 5)
        await until(lambda: not any(each._is_behind for each in place.hub._followers["a"]))
        while place.tally.clients_dropped < 5:
            await place.happen(job, ("executed", {"text": text}))
        assert not place.hub.is_followed("a")
        for each in lazy:
            each.close()

    run(tmp_path, scenario)


def test_what_a_slow_client_has_missed_is_not_piled_up_for_it(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        job, text = await place.job("a", "silent-0"), "x" * 100 * KIB
        for _ in range(100):
            await place.happen(job, ("executed", {"text": text}), client_id="silent-0")
        lazy = await silent(place, "/ws?clientId=silent-0&since=0")
        await until(lambda: place.hub._sockets)
        (receiver,) = place.hub._sockets
        for _ in range(100):
            await place.happen(job, ("executed", {"text": text}), client_id="silent-0")
            assert receiver.mailbox.waiting < KIB
        assert not receiver.mailbox.is_dropped
        lazy.close()

    run(tmp_path, scenario)


def test_messages_of_our_own_go_to_one_client_or_to_all(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        one, two = await place.connect("clientId=1"), await place.connect("clientId=2")
        place.hub.send("news", {"a": 1}, "1")
        place.hub.send("news", {"a": 2}, None)
        place.hub.send("news", {"a": 3}, "nobody")
        assert [(await message(one))["data"] for _ in range(2)] == [{"a": 1}, {"a": 2}]
        assert (await message(two))["data"] == {"a": 2}

    run(tmp_path, scenario)


def test_what_is_sent_is_counted(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        ws = await place.connect()
        await place.happen(await place.job("a"), ("executed", {}))
        await message(ws)
        await until(lambda: place.tally.events_sent == 2)

    run(tmp_path, scenario)


def test_the_end_of_the_server_is_told_to_everybody(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        sockets = [await place.connect(f"clientId={n}") for n in range(5)]
        await place.job("a")
        stream = await place.client.get("/api/jobs/a/events")
        place.publish_filler("a", 3, client_id="0")
        closing = asyncio.create_task(place.hub.close())
        assert [(await message(sockets[0]))["type"] for _ in range(3)] == ["filler"] * 3
        for ws in sockets:
            received = await ws.receive(timeout=PATIENCE)
            assert received.type is WSMsgType.CLOSE
            assert received.data == 1001
            await ws.close()
        assert await stream.text() == "retry: 1000\n\n"
        await closing
        async with place.client.get("/api/jobs/a/events") as answer:
            assert answer.status == 503

    run(tmp_path, scenario)


def test_clients_that_never_read_do_not_hold_up_the_end(tmp_path: Path) -> None:
    async def scenario(place: Place) -> None:
        await place.job("a")
        lazy = await silent_sockets(place, 10)
        lazy.append(await silent(place, "/api/jobs/a/events"))
        await until(lambda: place.hub.is_followed("a"))
        for receiver, name in ((each, name) for name, each in place.hub._clients.items()):
            while receiver.mailbox.waiting < LIMIT // 2:
                place.publish_filler("a", 1, size=50 * KIB, client_id=name)
                await asyncio.sleep(0)
        assert not any(each.mailbox.is_dropped for each in place.hub._sockets)
        began = time.perf_counter()
        await place.hub.close()
        assert place.hub._count == 0
        assert time.perf_counter() - began < 30
        for each in lazy:
            each.close()

    run(tmp_path, scenario)
