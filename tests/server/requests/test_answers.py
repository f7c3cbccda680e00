"""What clients see of errors."""

import asyncio
import logging
from pathlib import Path

import pytest
from aiohttp import web

from engine.errors import PathError
from server.node_types import NotReady
from server.requests.answers import cache_control
from server.requests.refusal import Refused
from tests.server.routes.rooms import serving


def answer_to(base: Path, error: Exception) -> tuple[int, dict, dict]:
    async def handler(request: web.Request) -> web.Response:
        raise error

    async def scenario():
        async with serving(base, [web.get("/it", handler)]) as client, client.get("/it") as answer:
            return answer.status, await answer.json(), answer.headers

    return asyncio.run(scenario())


def test_an_error_of_ours_is_a_400_that_says_it(tmp_path):
    status, body, headers = answer_to(tmp_path, PathError("input: no file 'a.png'"))
    assert (status, body) == (400, {"error": "input: no file 'a.png'"})
    assert headers["Content-Type"] == "application/json; charset=utf-8"


def test_a_refusal_brings_its_status_body_and_headers(tmp_path):
    refused = Refused(409, "taken", body={"error": {"type": "x"}}, headers={"X-More": "1"})
    status, body, headers = answer_to(tmp_path, refused)
    assert (status, body, headers["X-More"]) == (409, {"error": {"type": "x"}}, "1")


def test_a_server_without_workers_says_when_to_come_again(tmp_path):
    status, body, headers = answer_to(tmp_path, NotReady())
    assert (status, headers["Retry-After"]) == (503, "5")
    assert "worker" in body["error"]


def test_a_mistake_of_ours_is_logged_and_not_shown(tmp_path, caplog):
    status, body, _ = answer_to(tmp_path, ZeroDivisionError("secret detail"))
    assert status == 500
    assert "secret" not in str(body)
    assert [each.exc_info[0] for each in caplog.records if each.name == "server.requests.answers"] == [
        ZeroDivisionError
    ]


def test_a_message_with_half_a_character_is_still_json(tmp_path):
    assert answer_to(tmp_path, PathError("\udcff"))[1] == {"error": "\udcff"}


def test_a_client_that_hung_up_is_no_error(tmp_path, caplog):
    async def handler(request: web.Request) -> web.Response:
        raise ConnectionResetError("gone")

    async def scenario():
        async with serving(tmp_path, [web.get("/it", handler)]) as client, client.get("/it") as answer:
            return answer.status

    with caplog.at_level(logging.INFO):
        assert asyncio.run(scenario()) == 499
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_an_answer_that_fails_half_way_ends_in_a_broken_connection(tmp_path):
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise ZeroDivisionError

    async def scenario():
        async with serving(tmp_path, [web.get("/it", handler)]) as client, client.get("/it") as answer:
            return await answer.read()

    with pytest.raises(Exception, match=r"(?i)payload|connection|disconnect"):
        asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [("GET", "/nowhere", 404, "/nowhere"), ("DELETE", "/it", 405, "expected POST, got DELETE")],
)
def test_what_no_route_takes_is_answered_in_json(tmp_path, method, path, status, words):
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    async def scenario():
        async with serving(tmp_path, [web.post("/it", handler)]) as client, client.request(method, path) as answer:
            return answer.status, await answer.json(), answer.headers.get("Allow")

    found, body, allow = asyncio.run(scenario())
    assert found == status
    assert words in body["error"]
    assert allow == ("POST" if status == 405 else None)


def test_a_body_that_is_damaged_on_the_way_is_the_clients_fault(tmp_path, caplog):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def scenario():
        async with serving(tmp_path, [web.post("/it", handler)]) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(b"POST /it HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            await writer.drain()
            writer.write(b"rubbish\r\n\r\n")
            status = await reader.readline()
            writer.close()
            return status

    assert b" 400 " in asyncio.run(scenario())
    assert not [each for each in caplog.records if each.name == "server.requests.answers"]


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/", 200, "no-store, must-revalidate"),
        ("/scripts/app.js", 200, "no-cache"),
        ("/style.css", 404, "no-cache"),
        ("/templates/index.de.json", 200, "no-cache"),
        ("/docs/a.PNG", 200, "public, max-age=86400"),
        ("/docs/a.png", 404, "public, max-age=3600"),
        ("/docs/a.png", 500, None),
        ("/prompt", 200, None),
    ],
)
def test_browsers_keep_what_the_protocol_says(path, status, expected):
    assert cache_control(path, status) == expected


def test_texts_are_packed_when_that_was_asked_for_and_the_client_takes_it(serve):
    async def scenario():
        found = {}
        async with serve(enable_compress_response_body=True) as client:
            for path in ("/object_info", "/metrics", "/view?filename=a.png", "/nowhere"):
                for taken in ("gzip", "identity"):
                    async with client.get(path, headers={"Accept-Encoding": taken}) as answer:
                        await answer.read()
                        found[path, taken] = answer.headers.get("Content-Encoding")
        return found

    found = asyncio.run(scenario())
    assert found["/object_info", "gzip"] == found["/metrics", "gzip"] == "gzip"
    assert {each for (path, taken), each in found.items() if taken == "identity" or "filename" in path} == {None}


def test_nothing_is_packed_otherwise(serve):
    async def scenario():
        async with (
            serve(wait=False) as client,
            client.get("/system_stats", headers={"Accept-Encoding": "gzip"}) as answer,
        ):
            return answer.headers.get("Content-Encoding")

    assert asyncio.run(scenario()) is None
