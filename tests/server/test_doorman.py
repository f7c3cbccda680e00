"""Connections that ask nothing, or are too many, or speak no HTTP."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from server.doorman import Doorman, request_log, room_for_connections


@asynccontextmanager
async def serving(most: int = 100, patience: float = 20.0) -> AsyncIterator[int]:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.add_routes([web.get("/", hello)])
    runner = web.AppRunner(app, logger=request_log(), access_log=None)
    await runner.setup()
    assert runner.server is not None
    door = Doorman(runner.server, most, patience=patience)
    server = await asyncio.get_running_loop().create_server(door, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await runner.cleanup()


async def said(port: int, text: bytes) -> bytes:
    """What comes back until the connection is closed, or for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    try:
        async with asyncio.timeout(10):
            return await reader.read(200)
    finally:
        writer.close()


GOOD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_half_a_first_request_is_not_waited_for_for_ever() -> None:
    async def scenario() -> None:
        async with serving(patience=0.1) as port:
            assert await said(port, b"GET / HTTP/1.1\r\nHost: a") == b""

    asyncio.run(scenario())


def test_a_connection_that_has_asked_once_may_stay() -> None:
    async def scenario() -> None:
        async with serving(patience=0.1) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(2):
                writer.write(GOOD)
                assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
                await asyncio.sleep(0.3)
            writer.close()

    asyncio.run(scenario())


def test_a_connection_too_many_is_closed_and_the_next_is_answered_when_there_is_room() -> None:
    async def scenario() -> None:
        async with serving(most=1) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GOOD)
            await reader.readuntil(b"hello")
            assert await said(port, GOOD) == b""
            writer.close()
            async with asyncio.timeout(10):
                while not (await said(port, GOOD)).startswith(b"HTTP/1.1 200"):
                    await asyncio.sleep(0.02)

    asyncio.run(scenario())


def test_what_is_no_request_is_no_mistake_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving() as port:
            for rubbish in (
                b"rubbish\r\n\r\n",
                b"GET / HTTP/1.1\r\nContent-Length: abc\r\n\r\n",
                b"\x16\x03\x01\x00" * 9,
            ):
                assert (await said(port, rubbish)).startswith(b"HTTP/1.0 400")

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    assert caplog.records == []


def test_there_is_room_for_connections_whatever_the_system_allows() -> None:
    assert room_for_connections() >= 1
