"""server.requests.body: what a request sends, read and parsed; everything else is refused in words."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.requests import body
from server.requests.answers import answer_errors
from server.requests.refusal import Refused

DEEP = 100_000

REFUSED = {
    "nothing": (b"", "empty body"),
    "spaces": (b" \r\n\t", "empty body"),
    "no JSON": (b"hello", "this is not JSON: Expecting value at line 1, column 1"),
    "an object cut short": (b'{"prompt": {"3": {', "this is not JSON"),
    "a text cut short": (b'{"prompt": "cat', "Unterminated string"),
    "something after the end": (b"{} {}", "Extra data at line 1, column 4"),
    "a comma too many": (b'{"a": 1,}', "this is not JSON"),
    "single quotes": (b"{'a': 1}", "property name enclosed in double quotes"),
    "a form": (b"prompt=%7B%7D&client_id=1", "this is not JSON"),
    "a raw line break in a text": (b'{"a": "x\ny"}', "Invalid control character"),
    "NaN": (
        b'{"prompt": {"3": {"inputs": {"cfg": NaN}}}}',
        "prompt.3.inputs.cfg: expected a value of JSON, got NaN, which is none",
    ),
    "Infinity": (b'{"a": [1, Infinity]}', "a.1: expected a value of JSON, got Infinity"),
    "minus Infinity": (b'{"a": -Infinity}', "a: expected a value of JSON, got -Infinity"),
    "a number beyond floats": (b'{"a": {"b": 1e999}}', "a.b: expected a value of JSON, got Infinity"),
    "a number of 5,000 digits": (
        b'{"a": ' + b"9" * 5000 + b"}",
        "a number that is too long; at most 4,300 digits are accepted",
    ),
    "half a character": (rb'{"a": {"b": "x\ud83d"}}', "a.b: half of a surrogate pair"),
    "half a character in a key": (rb'{"\udc00": 1}', r"\udc00: half of a surrogate pair"),
    "a key twice": (b'{"a": {"7": 1, "8": 2, "7": 3}}', "the key '7' is there more than once"),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "got UTF-16"),
    "UTF-16 without a mark": ('{"a": 1}'.encode("utf-16-le"), "this is not JSON"),
    "Latin-1": ('{"a": "é"}'.encode("latin-1"), "bytes that are not UTF-8 (at byte 7)"),
    "half a character in UTF-8": (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
    "lists without end": (b"[" * DEEP, "nested too deeply; at most 500 levels"),
    "very deep lists": (b"[" * DEEP + b"]" * DEEP, "nested too deeply; at most 500 levels"),
    "very deep objects": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "nested too deeply; at most 500 levels"),
    "a level too deep": (b"[" * 501 + b"]" * 501, "nested too deeply; at most 500 levels"),
    "very many lists": (b"[" + b"[]," * 1_000_000 + b"[]]", "at most 1,000,000"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_strict_json_is_refused_with_the_reason(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(Refused) as refused:
        body.parse(data)
    assert refused.value.status == 400
    assert reason in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_key_that_is_there_twice_is_found_at_once_among_very_many() -> None:
    keys = ",".join(f'"{number}":1' for number in range(100_000))
    with pytest.raises(Refused, match="the key '99999' is there more than once"):
        body.parse(f'{{{keys},"99999":2}}'.encode())


@pytest.mark.parametrize(
    "value",
    [{}, [], 0, None, "é😀\u2028", {"a": [1.5, True, None, {"b": -(2**64)}]}, [[[[]]]], {"x": "a\tb\\ud83d"}],
)
def test_strict_json_is_read_as_it_is(value: object) -> None:
    assert body.parse(json.dumps(value).encode()) == value
    assert body.parse(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


def test_500_levels_are_accepted() -> None:
    assert body.parse(b"[" * 500 + b"]" * 500)


def test_what_comfyui_03_left_in_the_nodes_of_its_pictures_is_no_fault() -> None:
    read = body.parse(b'{"prompt": {"1": {"class_type": "LoadImage", "inputs": {}, "is_changed": [NaN]}}}')
    assert read == {"prompt": {"1": {"class_type": "LoadImage", "inputs": {}}}}


@asynccontextmanager
async def echo(limit: int = 1000, patience: float = 30.0) -> AsyncIterator[TestClient]:
    """A server that says how long a body was."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(len(await body.read(request, limit, patience=patience)))

    app = web.Application(middlewares=[answer_errors])
    app.add_routes([web.post("/", answer)])
    async with TestClient(TestServer(app)) as client:
        yield client


async def raw(client: TestClient, request: bytes, *, cut: bool = False) -> bytes:
    """What is answered to these bytes. cut: nothing more will come from the client."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    try:
        writer.write(request)
        await writer.drain()
        if cut:
            writer.write_eof()
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            return head + await reader.readexactly(length)
    finally:
        writer.close()


def test_the_content_type_is_not_looked_at() -> None:
    async def scenario() -> None:
        async with echo() as client:
            for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "nonsense", ""):
                async with client.post("/", data=b"12345", headers={"Content-Type": kind}) as answer:
                    assert (answer.status, await answer.json()) == (200, 5)

    asyncio.run(scenario())


def test_a_body_of_just_the_limit_is_read() -> None:
    async def scenario() -> None:
        async with echo() as client, client.post("/", data=b"x" * 1000) as answer:
            assert (answer.status, await answer.json()) == (200, 1000)

    asyncio.run(scenario())


def test_a_longer_body_is_refused_by_its_length_before_it_comes() -> None:
    async def scenario() -> None:
        async with echo() as client:
            answer = await raw(client, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 21000000\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert (
                b'{"error": "the body is larger than 1,000 bytes, which is the most that is accepted here"}' in answer
            )

    asyncio.run(scenario())


def test_a_longer_body_that_comes_in_pieces_is_refused_as_soon_as_it_is_too_long() -> None:
    async def scenario() -> None:
        async with echo() as client:
            answer = await raw(
                client,
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                + b"190\r\n%s\r\n" % (b"x" * 400) * 3,
            )
            assert answer.startswith(b"HTTP/1.1 413 ")

    asyncio.run(scenario())


def test_a_packed_body_counts_as_it_becomes() -> None:
    async def scenario() -> None:
        async with echo() as client:
            for size, status in ((900, 200), (2000, 413), (50_000_000, 413)):
                headers = {"Content-Encoding": "gzip"}
                async with client.post("/", data=gzip.compress(b"0" * size), headers=headers) as answer:
                    assert answer.status == status, await answer.text()

    asyncio.run(scenario())


def test_a_packed_body_is_read_to_its_very_end() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(len(await body.read(request, 1000)))

    async def scenario() -> None:
        app = web.Application(middlewares=[answer_errors])
        app.add_routes([web.post("/", answer)])
        server = TestServer(app)
        await server.start_server(auto_decompress=False)  # as serve.py has it
        async with TestClient(server) as client:
            for encoding, packed in (("gzip", gzip.compress(b"0" * 900)), ("deflate", zlib.compress(b"0" * 900))):
                wholes = [(packed, 200), (packed + b"x", 400), (gzip.compress(b"0" * 50_000_000), 413)]
                for data, status in [*wholes, *((packed[:cut], 400) for cut in range(1, len(packed)))]:
                    headers = {"Content-Encoding": encoding}
                    async with client.post("/", data=data, headers=headers) as found:
                        assert found.status == status, (data, await found.text())
            async with client.post("/", data=b"x", headers={"Content-Encoding": "br"}) as found:
                assert found.status == 400
                assert "send it uncompressed" in (await found.json())["error"]

    asyncio.run(scenario())


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_that_is_not_packed_as_it_says_is_refused(encoding: str) -> None:
    async def scenario() -> None:
        async with echo() as client:
            for data in (b"{}", b"\x1f\x8bnonsense", gzip.compress(b"{}")[:3] + b"\xff" * 40):
                async with client.post("/", data=data, headers={"Content-Encoding": encoding}) as answer:
                    assert answer.status == 400  # some of it is noticed by aiohttp itself, which answers in plain text

    asyncio.run(scenario())


def test_a_client_that_stops_sending_is_not_waited_for_for_ever() -> None:
    async def scenario() -> None:
        async with echo(patience=0.1) as client:
            answer = await raw(client, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"send it again, 0.1 s without a byte are too long" in answer


def test_a_client_that_trickles_is_not_waited_for_either() -> None:
    async def scenario() -> None:
        async with echo(patience=0.3) as client:
            reader, writer = await asyncio.open_connection(client.host, client.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n")
            answer = asyncio.create_task(reader.readline())
            while not answer.done():
                writer.write(b"x")
                await asyncio.sleep(0.05)
            writer.close()
            assert (await answer).startswith(b"HTTP/1.1 408 ")

    asyncio.run(scenario())


def test_a_client_that_goes_away_in_the_middle_leaves_the_server_answering() -> None:
    async def scenario() -> None:
        async with echo() as client:
            for _ in range(3):
                _, writer = await asyncio.open_connection(client.host, client.port)
                writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
                await writer.drain()
                writer.transport.abort()
            async with client.post("/", data=b"123") as answer:
                assert answer.status == 200

    asyncio.run(scenario())


def test_rubbish_between_pieces_is_refused() -> None:
    async def scenario() -> None:
        async with echo() as client:
            answer = await raw(
                client, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n"
            )
            assert answer.split(b" ")[1] == b"400"

    asyncio.run(scenario())
