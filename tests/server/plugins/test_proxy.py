"""Requests on their way to a plugin: what its handler is given, and who may not send them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from server import keys
from tests.server.client import Client, runs
from tests.server.quiet import quiet

ROUTES = [
    {"methods": ["GET"], "parts": ["/evil/meta/", ""]},
    {"methods": ["POST"], "parts": ["/evil/act"]},
    {"methods": ["GET"], "prefix": "/evil/files"},
]


@asynccontextmanager
async def plugins(folder: Path, **serving: Any) -> AsyncIterator[tuple[Client, list[str]]]:
    """A server with a worker whose plugin has these routes, and what reached its handlers."""
    reached: list[str] = []

    async def meta(request: web.Request) -> web.Response:
        reached.append(request.match_info["name"])
        return web.json_response(request.match_info["name"])

    async def act(request: web.Request) -> web.Response:
        reached.append("act")
        return web.Response()

    (folder / "files").mkdir()
    (folder / "files" / "a.js").write_text("a")
    (folder / "secret").write_text("secret")
    worker = web.Application()
    worker.add_routes([web.get("/evil/meta/{name}", meta), web.post("/evil/act", act)])
    worker.add_routes([web.static("/evil/files", folder / "files")])
    async with TestServer(worker, host="127.0.0.1") as theirs, quiet(folder, **serving) as client:
        told = {"address": str(theirs.make_url("/")), "secret": "s", "routes": ROUTES}
        client.app[keys.CATALOGUE].take("worker-0", {"plugins": [], "serving": told, "handlers": 0})
        yield client, reached


def raw(client: Client, path: str) -> URL:
    return URL(f"{str(client.make_url('/')).rstrip('/')}{path}", encoded=True)


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("loras%2Fsub%2Fx.safetensors", "loras/sub/x.safetensors"),
        ("100%25", "100%"),
        ("a%20b%3Fc%23d", "a b?c#d"),
        ("%E7%8C%AB", "猫"),
    ],
)
@runs
async def test_a_name_reaches_the_handler_as_it_was_meant(tmp_path: Path, prefix: str, sent: str, name: str) -> None:
    async with (
        plugins(tmp_path) as (client, reached),
        client.session.get(raw(client, f"{prefix}/evil/meta/{sent}?token=1")) as answer,
    ):
        assert answer.status == 200, await answer.text()
        assert reached == [name]


@pytest.mark.parametrize(
    "path",
    [
        "/evil/files/../../secret",
        "/evil/files/..%2F..%2Fsecret",
        "/evil/files/..%2fsecret",
        "/evil/files/%2e%2e/secret",
        "/evil/files/..%5Csecret",
        "/evil/meta/..%2F..%2Fsecret",
        "/api/evil/meta/%2e%2e%2fsecret",
    ],
)
@runs
async def test_no_way_leads_up(tmp_path: Path, path: str) -> None:
    async with plugins(tmp_path) as (client, reached):
        async with client.session.get(raw(client, path)) as answer:
            assert answer.status == 404
            assert await answer.text() != "secret"
        async with client.get("/evil/files/a.js") as answer:
            assert (answer.status, await answer.text()) == (200, "a")
        assert reached == []


@pytest.mark.parametrize("prefix", ["", "/api"])
@runs
async def test_another_method_is_told_which_there_are(tmp_path: Path, prefix: str) -> None:
    async with plugins(tmp_path) as (client, reached):
        async with client.get(f"{prefix}/evil/act") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
            assert "expected POST, got GET" in (await answer.json())["error"]
        async with client.post(f"{prefix}/evil/nothing") as answer:
            assert answer.status == 404
        assert reached == []


LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
PICTURE = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
ART = "https://art.example"


@pytest.mark.parametrize(
    ("headers", "cors", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", **LINK}, None, 403),
        ({"Sec-Fetch-Site": "same-site", **LINK}, None, 403),
        ({"Sec-Fetch-Site": "same-site", **PICTURE}, None, 403),
        ({"Sec-Fetch-Site": "cross-site", **PICTURE}, ART, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": ART}, ART, 200),
        ({"Sec-Fetch-Site": "cross-site", **PICTURE}, "*", 200),
        ({"Sec-Fetch-Site": "none", **LINK}, None, 200),
        ({"Sec-Fetch-Site": "same-origin", **PICTURE}, None, 200),
        ({}, None, 200),
    ],
)
@runs
async def test_pages_of_others_set_no_plugin_to_work(
    tmp_path: Path, headers: dict[str, str], cors: str | None, status: int
) -> None:
    async with plugins(tmp_path, enable_cors_header=cors) as (client, reached):
        async with client.get("/evil/meta/x", headers=headers) as answer:
            assert answer.status == status, await answer.text()
        assert reached == (["x"] if status == 200 else [])
