"""Errors below /api/v2 have the shape of v2, whoever refused: a route, the door, or aiohttp for want of one."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server.v2.errors import is_v2
from tests.server.client import runs
from tests.server.quiet import quiet
from tests.server.routes.rooms import serving

KEY = {"X-Token": "t"}
LARGE = b"[" + b" " * 5_000_000 + b"]"

ASKED: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "no such route": ("GET", "/api/v2/nowhere", {"headers": KEY}, 404, "not_found"),
    "nothing at all": ("GET", "/api/v2", {"headers": KEY}, 404, "not_found"),
    "another method": ("PUT", "/api/v2/jobs", {"headers": KEY}, 405, "method_not_allowed"),
    "no token": ("GET", "/api/v2/health", {}, 401, "unauthorized"),
    "another page": ("GET", "/api/v2/jobs", {"headers": {**KEY, "Origin": "http://evil.example"}}, 403, "forbidden"),
    "another host": ("GET", "/api/v2/jobs", {"headers": {**KEY, "Host": "evil.example"}}, 403, "forbidden"),
    "rubbish for a host": ("GET", "/api/v2/jobs", {"headers": {**KEY, "Host": "a b"}}, 400, "invalid_request"),
    "too much": (
        "POST",
        "/api/v2/assets/from-hash",
        {"headers": KEY, "data": io.BytesIO(LARGE)},
        413,
        "payload_too_large",
    ),
    "a route's own": ("POST", "/api/v2/jobs", {"headers": KEY, "data": b"{"}, 400, "invalid_request"),
}


def check(body: Any, code: str) -> Mapping[str, Any]:
    assert set(body) == {"error"}
    error: Mapping[str, Any] = body["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["code"] == code
    assert len(error["message"]) > 10
    return error


@runs
async def test_whoever_refuses_says_it_as_v2_does(tmp_path: Path) -> None:
    async with quiet(tmp_path, token="t") as client:
        for name, (method, path, options, status, code) in ASKED.items():
            async with client.request(method, path, **options) as answer:
                assert answer.status == status, (name, await answer.text())
                check(await answer.json(), code)
                if status == 405:
                    assert set(answer.headers["Allow"].split(",")) >= {"GET", "POST"}
                if status == 401:
                    assert answer.headers["WWW-Authenticate"] == "Bearer"


@runs
async def test_a_mistake_of_ours_is_told_as_v2_does(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        raise ZeroDivisionError("secret detail")

    async with serving(tmp_path, [web.get("/api/v2/it", handler)]) as client, client.get("/api/v2/it") as answer:
        assert answer.status == 500
        assert "secret" not in check(await answer.json(), "internal_error")["message"]


@pytest.mark.parametrize("path", ["/v2/userdata", "/api/v2/userdata", "/api/v20", "/api/jobs/none"])
@runs
async def test_comfyuis_own_routes_keep_their_shape(tmp_path: Path, path: str) -> None:
    assert not is_v2(path)
    async with quiet(tmp_path) as client, client.request("PUT", path) as answer:
        assert answer.status in (404, 405)
        assert isinstance((await answer.json())["error"], str)
