"""Clients that do the worst they can: nobody else notices, and every job that was accepted comes to its end."""

import asyncio
import itertools
import json
import os
import random
import socket
import struct
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.server.chaos.served import Served, Watch, served

pytestmark = pytest.mark.slow

HANDSHAKE = (
    "GET /ws?clientId={} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CUT = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + b"x" * 300_000
JOBS = 12
NEVER_READ = 20
VALUES = itertools.count(1)  # of jobs: the same twice would be known already


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("bad_clients"), "--log-format", "json") as running:
        job = running.ask("/prompt", {"prompt": work(0, 0)})["prompt_id"]
        assert running.wait(job)["status"] == "completed"
        yield running


def work(value: int, seconds: float = 0.1) -> dict[str, Any]:
    return {
        "1": {"class_type": "ToySleep", "inputs": {"value": value, "seconds": seconds, "steps": 20}},
        "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
    }


def port(server: Served) -> int:
    return int(server.address.rpartition(":")[2])


async def say(server: Served, data: bytes, *, hears: bool = False, waits: float = 0.0) -> bytes:
    """A connection that says this and breaks off. Returns: what was answered, to one that listens."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
    answer = b""
    try:
        writer.write(data)
        await writer.drain()
        if hears:
            async with asyncio.timeout(30):
                answer = await reader.read(200)
        await asyncio.sleep(waits)
    except ConnectionError:
        pass
    writer.transport.abort()
    return answer


def frame(opcode: int, data: bytes, *, masked: bool = True, fin: bool = True, length: int | None = None) -> bytes:
    """A frame of RFC 6455, right or wrong."""
    size = len(data) if length is None else length
    head = bytes([(0x80 if fin else 0) | opcode])
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    return head + (b"\0\0\0\0" if masked else b"") + data


FRAMES = {
    "noise": random.Random(5).randbytes(4000),
    "a text that is no UTF-8": frame(1, b"\xff\xfe\xfd"),
    "half a character": frame(1, "é".encode()[:1]),
    "an opcode there is not": frame(11, b"x"),
    "no mask": frame(1, b"{}", masked=False),
    "bits that mean nothing": b"\xf1\x80\0\0\0\0",
    "a length beyond all": frame(2, b"", length=2**63 - 1),
    "a message that is too long": frame(1, b"x" * (1 << 20) + b"x"),
    "a message in a million parts": frame(1, b"x", fin=False) + frame(0, b"", fin=False) * 2000,
    "a part of nothing": frame(0, b"x"),
    "a ping that is too long": frame(9, b"x" * 200),
    "many pings": frame(9, b"x" * 100) * 5000,
    "pongs for nothing": frame(10, b"x") * 500,
    "a goodbye with a code there is not": frame(8, struct.pack(">H", 7)),
    "a goodbye and more": frame(8, struct.pack(">H", 1000)) + frame(1, b"{}") * 100,
    "flags that are none": frame(1, b'{"type": "feature_flags", "data": [[[[1]]]]}'),
    "deep JSON": frame(1, b'{"type":' + b"[" * 60_000),
    "every flag": frame(1, json.dumps({"type": "feature_flags", "data": {str(n): n for n in range(5000)}}).encode()),
    "an order": frame(1, b'{"type": "interrupt"}') + frame(1, b'{"clear": true}') + frame(2, b"\0\0\0\1"),
    "half a frame": frame(1, b"x" * 100)[:50],
}
REQUESTS = {
    "noise": random.Random(6).randbytes(3000),
    "half a line": b"GET /pro",
    "half a head": b"GET /prompt HTTP/1.1\r\nHost: 127.0.0.1\r\nX-",
    "a header without an end": b"GET /prompt HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * 100_000,
    "a thousand headers": b"GET /prompt HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n",
    "two lengths": b"POST /queue HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\n{}",
    "a length below nothing": b"POST /queue HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
    "parts and a length": b"POST /queue HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /free HTTP/1.1\r\n\r\n",
    "a part of no size": b"POST /queue HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method there is not": b"EVIL /prompt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "half a prompt": b'POST /prompt HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n\r\n{"prompt": {"1": {"cl',
}


async def send_frames(server: Served) -> None:
    for data in FRAMES.values():
        await asyncio.gather(*(say(server, HANDSHAKE.format("rubbish").encode() + data, waits=0.05) for _ in range(4)))


async def send_rubbish(server: Served) -> None:
    for name, data in REQUESTS.items():
        answers = await asyncio.gather(
            *(say(server, data, hears=name.startswith(("a method", "a length"))) for _ in range(4))
        )
        assert all(not each or each.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) for each in answers), (name, answers)


async def come_and_go(server: Served) -> None:
    """A thousand times, half of them without a goodbye, all as one client."""
    for _ in range(50):
        await asyncio.gather(*(say(server, HANDSHAKE.format("me").encode(), hears=each % 2 == 0) for each in range(20)))


async def never_read(server: Served) -> None:
    """Sockets that ask for everything and read nothing, while pictures are sent to them."""
    open_ones = []
    for _ in range(NEVER_READ):
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port(server)))
        await asyncio.get_running_loop().sock_sendall(made, HANDSHAKE.format("deaf").encode())
        open_ones.append(made)
    much = {
        "1": {"class_type": "ToyPreview", "inputs": {"value": 1, "steps": 100, "seconds": 1}},
        "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
        "3": {"class_type": "ToyShowMuch", "inputs": {"megabytes": 4}},
    }
    job = (await asyncio.to_thread(server.ask, "/prompt", {"prompt": much, "client_id": "deaf"}))["prompt_id"]
    assert (await asyncio.to_thread(server.wait, job))["status"] == "completed"
    for made in open_ones:
        made.close()


async def cut_uploads(server: Served) -> None:
    head = (
        "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 600000\r\nContent-Type: multipart/form-data; boundary=b"
    )
    for path in ("/upload/image", "/upload/mask", "/api/v2/assets", "/userdata/cut.json"):
        data = f"{head.format(path)}\r\n\r\n".encode()
        await asyncio.gather(*(say(server, data + CUT[:size]) for size in (0, 5, 60, 100, 70_000, 300_000) * 2))
    async with aiohttp.ClientSession() as session:
        for size in (5, 60, 100, 300_000):
            type = {"Content-Type": "multipart/form-data; boundary=b"}
            async with session.post(f"{server.address}/upload/image", data=CUT[:size], headers=type) as answer:
                assert answer.status == 400
                assert "expected a form" in (await answer.json())["error"]


WORST: dict[str, Callable[[Served], Awaitable[None]]] = {
    "frames that are none": send_frames,
    "requests that are none": send_rubbish,
    "a thousand connections": come_and_go,
    "sockets that never read": never_read,
    "uploads that are cut": cut_uploads,
}


@pytest.mark.parametrize("name", WORST)
def test_nobody_else_notices_and_no_job_is_lost(server: Served, name: str) -> None:
    ids = [str(uuid.uuid4()) for _ in range(JOBS)]
    heard = []

    async def listen() -> None:
        """A client that behaves, and hears of all its jobs."""
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.address}/ws?clientId=good") as ws:
            ready.set()
            async for message in ws:
                told = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
                if told.get("type") == "executing" and told["data"]["node"] is None:
                    heard.append(told["data"]["prompt_id"])
                    if len(heard) == JOBS:
                        return

    async def live() -> None:
        async with asyncio.timeout(120):
            listening = asyncio.create_task(listen())
            await ready.wait()
            for id in ids:
                body = {"prompt": work(next(VALUES)), "prompt_id": id, "client_id": "good"}
                assert (await asyncio.to_thread(server.ask, "/prompt", body))["prompt_id"] == id
            await WORST[name](server)
            await listening

    ready = asyncio.Event()
    with Watch(server) as watch:
        asyncio.run(live())
    for id in ids:
        assert server.wait(id)["status"] == "completed"
    assert heard == ids
    assert watch.asked > 5
    assert not watch.unanswered, (watch.unanswered, server.log())
    assert watch.longest < 2.0, "somebody was kept waiting"
    assert _left(server.base) == []
    mistakes = [
        line
        for line in (server.base / "server.log").read_text().splitlines()
        if '"level": "ERROR"' in line or "Traceback" in line
    ]
    assert mistakes == []


def _left(base: Path) -> list[str]:
    """What unfinished uploads have left behind."""
    folders = [base / "input", base / "user" / "default"]
    return [name for each in folders if each.is_dir() for name in os.listdir(each) if name != "assets"]
