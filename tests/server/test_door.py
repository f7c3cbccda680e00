"""docs/security.md says who may call every route there is; each line is held against a running server."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError, web
from aiohttp.test_utils import TestServer

from server import keys
from server.app import BARE
from server.plugins.proxy import pass_on
from server.requests.answers import answer_errors, compress
from server.requests.security import guard
from server.routes import frontend
from server.watching.metrics import measure
from tests.server.client import Client, runs
from tests.server.quiet import quiet

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text()
TOKEN = "a secret of the tests"

SAMPLES = {
    "id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "folder": "loras",
    "type": "output",
    "hash": f"blake3:{'0' * 64}",
    "index": "0",
    "path": "pack/route",
}
"""What stands in the place of a parameter; "x" for others."""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    method: str
    path: str
    may: str
    is_twice: bool

    def addresses(self) -> list[str]:
        """Where it is, with samples for its parameters."""
        path = re.sub(r"\{(\w+)\}", lambda found: SAMPLES.get(found[1], "x"), self.path)
        return [path, f"/api{path}"] if self.is_twice else [path]

    def methods(self) -> list[str]:
        return ["GET", "POST"] if self.method == "any" else [self.method]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def rows() -> list[Row]:
    lines = re.findall(r"^\| (GET|HEAD|POST|PUT|PATCH|DELETE|any) \| `(/\S*)`( \*)? \| (\w+) \|", DOCUMENT, re.M)
    return [Row(method, path, may, bool(star)) for method, path, star, may in lines]


ROWS = rows()
KNOWN = {(each.method, prefix + each.path) for each in ROWS for prefix in (["", "/api"] if each.is_twice else [""])}


# --------------------------------------------------------------------------------------------------------- it is whole


def registered(app: web.Application) -> Iterator[tuple[str, str]]:
    """Every route of an application: static folders and others' applications inside of it would be there too."""
    for route in app.router.routes():
        assert route.resource is not None
        path = re.sub(r":[^}]*}", "}", route.resource.canonical)
        if route.handler is frontend.file:
            path = "/{file}"
        yield route.method, path


def unknown(app: web.Application) -> set[tuple[str, str]]:
    found = {*registered(app)}
    # What answers GET answers HEAD alike.
    return {(method, path) for method, path in found if (method, path) not in KNOWN and not _is_head(method, path)}


def _is_head(method: str, path: str) -> bool:
    return method == "HEAD" and ("GET", path) in KNOWN


def a_frontend(folder: Path) -> Path:
    (folder / "assets").mkdir(parents=True)
    (folder / "extensions" / "core").mkdir(parents=True)
    for name in ("index.html", "user.css.map", "assets/x.js", "extensions/core/x.js", "x"):
        (folder / name).write_text("")
    return folder


@pytest.mark.parametrize("is_other", [False, True])
@runs
async def test_every_route_has_a_line_and_every_line_a_route(tmp_path: Path, is_other: bool) -> None:
    other = {"front_end_root": a_frontend(tmp_path / "frontend")} if is_other else {}
    async with quiet(tmp_path, **other) as client:
        assert unknown(client.app) == set()
        found = {*registered(client.app), ("any", "/{path}"), ("any", "/api/{path}")}
        ours, theirs = ("/assets/{name}", "/icon.svg"), ("/{file}", "/index.html")
        absent = {("GET", path) for path in (ours if is_other else theirs)}
        assert KNOWN - found == absent


def test_a_route_without_a_line_is_noticed(tmp_path: Path) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response()

    app, inner = web.Application(), web.Application()
    app.add_routes([web.get("/queue", hello), web.get("/hello", hello), web.static("/files", tmp_path)])
    app.add_routes([web.route("*", "/{path:.*}", hello)])
    inner.add_routes([web.get("/queue", hello)])
    app.add_subapp("/more", inner)
    missing = unknown(app)
    assert {("GET", "/hello"), ("GET", "/files"), ("*", "/{path}"), ("GET", "/more/queue")} <= missing
    assert ("GET", "/queue") not in missing


@pytest.mark.parametrize("packs", [False, True])
@runs
async def test_there_is_no_other_way_in(tmp_path: Path, packs: bool) -> None:
    async with quiet(tmp_path, enable_compress_response_body=packs) as client:
        expected = [measure, *([compress] if packs else []), answer_errors, guard, pass_on]
        assert list(client.app.middlewares) == expected, "what is asked before the guard is asked by everybody"


def test_the_table_says_what_is_there_twice_and_has_no_line_twice() -> None:
    assert len({(each.method, each.path) for each in ROWS}) == len(ROWS)
    bare = {(route.method, re.sub(r":[^}]*}", "}", route.path)) for room in BARE for route in room.ROUTES}
    assert {(each.method, each.path) for each in ROWS if each.is_twice} == {*bare, ("any", "/{path}")}


def test_what_changes_something_is_asked_with_a_method_that_says_so() -> None:
    assert {each.may for each in ROWS} == {"look", "act", "run", "ask"}
    for each in ROWS:
        assert (each.may == "look") == (each.method in ("GET", "HEAD")), each


# ------------------------------------------------------------------------------------------------------ it is obeyed


@dataclass
class World:
    """A server, and what reached its plugins."""

    client: Client
    reached: list[str] = field(default_factory=list)

    async def door(self, method: str, path: str, headers: dict[str, str]) -> str:
        """Who refused: "host", "page", "token"; or "in", when the door was open, whatever the route then said."""
        async with self.client.request(method, path, headers=headers, allow_redirects=False) as answer:
            text = await answer.text(errors="replace") if answer.status != 200 else ""
            if answer.status == 401 and "wants its token" in text:
                return "token"
            if answer.status == 403 and "does not know itself by the name" in text:
                return "host"
            if answer.status == 403 and ("may not use this server" in text or "page of another site" in text):
                return "page"
            if answer.status in (401, 403) and method == "HEAD":
                return "closed"
            assert answer.status != 401, (method, path, text)
            assert answer.status < 500 or answer.status == 503, (method, path, text)
            return "in"


@asynccontextmanager
async def world(folder: Path, **serving: Any) -> AsyncIterator[World]:
    """A server that knows of a worker whose plugins answer /pack/route and /pack/ws."""
    made: list[World] = []

    async def plugin(request: web.Request) -> web.StreamResponse:
        made[0].reached.append(request.path)
        if "upgrade" in request.headers.get("Connection", "").lower():
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.close()
            return socket
        return web.Response()

    worker = web.Application()
    worker.add_routes([web.route("*", "/{path:.*}", plugin)])
    async with TestServer(worker, host="127.0.0.1") as theirs, quiet(folder, **serving) as client:
        routes = [{"methods": ["*"], "parts": [path]} for path in ("/pack/route", "/pack/ws")]
        told = {"address": str(theirs.make_url("/")), "secret": "s", "routes": routes}
        client.app[keys.CATALOGUE].take("worker-0", {"plugins": [], "serving": told, "handlers": 0})
        made.append(World(client))
        yield made[0]


FOREIGN = {
    "foreign origin": {"Origin": "https://evil.example"},
    "no origin": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "rebound": {"Host": "evil.example", "Origin": "http://evil.example"},
    "wrong host": {"Host": "evil.example"},
}


def expectations(row: Row, method: str) -> dict[str, tuple[dict[str, str], str]]:
    """Who asks, with which headers, and what becomes of it, on this computer alone."""
    is_harmless = method in ("GET", "HEAD")
    refusals = {name: (headers, "host" if "Host" in headers else "page") for name, headers in FOREIGN.items()}
    link = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    frames = {
        f"a page with this in an {each}": (
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": each},
            "page",
        )
        for each in ("iframe", "frame", "embed", "object")
    }
    looks = "in" if is_harmless and row.may != "ask" else "page"
    return {
        **frames,
        **refusals,
        "a program": ({}, "in"),
        "another site": ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, "page"),
        "a link": ({"Sec-Fetch-Site": "cross-site", **link}, looks),
        "a page at another port": ({"Sec-Fetch-Site": "same-site"}, looks),
        "a link at another port": ({"Sec-Fetch-Site": "same-site", **link}, looks),
        "the address bar": ({"Sec-Fetch-Site": "none", **link}, "in"),
        "our page": ({"Sec-Fetch-Site": "same-origin"}, "in"),
    }


def requests_of(row: Row) -> Iterator[tuple[str, str]]:
    for address in row.addresses():
        for method in row.methods():
            yield method, address


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.plugins.desk.RELOAD", 0.05)


@pytest.mark.parametrize("is_other", [False, True])
@runs
async def test_on_this_computer_programs_and_our_pages_come_in_and_other_pages_do_not(
    tmp_path: Path, is_other: bool
) -> None:
    other = {"front_end_root": a_frontend(tmp_path / "frontend")} if is_other else {}
    async with world(tmp_path, **other) as there:
        for row in ROWS:
            for method, address in requests_of(row):
                for name, (headers, expected) in expectations(row, method).items():
                    before = len(there.reached)
                    found = await there.door(method, address, headers)
                    closed = "closed" if method == "HEAD" and expected != "in" else expected
                    assert found == closed, (row, method, address, name)
                    assert len(there.reached) == before + (row.may == "ask" and expected == "in"), (row, name)


KEYS = {
    "none": ({}, "token"),
    "a wrong one": ({"X-Token": "guess"}, "token"),
    "an empty one": ({"Authorization": "Bearer "}, "token"),
    "a wrong cookie": ({"Cookie": "latentwire_token=guess"}, "token"),
    "the right one": ({"X-Token": TOKEN}, "in"),
    "the right one for a foreign page": ({"X-Token": TOKEN, "Origin": "https://evil.example"}, "page"),
    "the right one for no page": ({"X-Token": TOKEN, "Origin": "null"}, "page"),
    "the right one under a wrong name": ({"X-Token": TOKEN, "Host": "evil.example"}, "host"),
}


@pytest.mark.parametrize("listen", ["127.0.0.1", "0.0.0.0"])
@runs
async def test_where_there_is_a_token_every_route_wants_it(tmp_path: Path, listen: str) -> None:
    async with world(tmp_path, token=TOKEN, listen=listen) as there:
        for row in ROWS:
            for method, address in requests_of(row):
                for name, (headers, expected) in KEYS.items():
                    before = len(there.reached)
                    found = await there.door(method, address, headers)
                    closed = "closed" if method == "HEAD" and expected != "in" else expected
                    assert found == closed, (row, method, address, name)
                    assert len(there.reached) == before + (row.may == "ask" and expected == "in"), (row, name)


@pytest.mark.parametrize("path", ["/ws", "/api/ws", "/pack/ws", "/api/pack/ws"])
@runs
async def test_no_socket_is_opened_for_strangers(tmp_path: Path, path: str) -> None:
    async with world(tmp_path, token=TOKEN) as there:
        for headers, status in (
            ({}, 401),
            ({"X-Token": "guess"}, 401),
            ({"X-Token": TOKEN, "Origin": "null"}, 403),
            ({"X-Token": TOKEN, "Origin": "https://evil.example"}, 403),
            ({"X-Token": TOKEN, "Host": "evil.example"}, 403),
        ):
            with pytest.raises(WSServerHandshakeError) as refusal:
                await there.client.ws_connect(path, headers=headers)
            assert refusal.value.status == status
        assert there.reached == []
        for query, headers in (("", {"X-Token": TOKEN}), (f"?token={TOKEN}", {})):
            there.client.session.cookie_jar.clear()
            socket = await there.client.ws_connect(f"{path}{query}", headers=headers)
            await socket.close()


@runs
async def test_a_first_visit_shows_the_token_and_the_page_goes_on_with_the_cookie(tmp_path: Path) -> None:
    async with quiet(tmp_path, token=TOKEN) as client:
        async with client.get("/", params={"token": TOKEN}) as answer:
            assert answer.status == 200
            assert {"HttpOnly", "SameSite=Strict"} <= {*re.split("; ", answer.headers["Set-Cookie"])}
        async with client.get("/queue") as answer:
            assert answer.status == 200
        socket = await client.ws_connect("/ws")
        await socket.close()
        client.session.cookie_jar.clear()
        async with client.get("/queue") as answer:
            assert answer.status == 401


@runs
async def test_with_no_token_everybody_comes_in_but_no_other_page(tmp_path: Path) -> None:
    async with world(tmp_path, listen="0.0.0.0", no_token=True) as there:
        assert await there.door("POST", "/interrupt", {"Host": "192.168.1.7:8188"}) == "in"
        for headers in FOREIGN.values():
            assert await there.door("POST", "/interrupt", headers) != "in"


def test_no_address_of_a_client_leads_a_request_elsewhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as there:
            serving = {"address": str(there.client.make_url("/no")), "secret": "s"}
            catalogue = there.client.app[keys.CATALOGUE]
            first = next(iter(catalogue.serving()))[1]
            catalogue.take(
                "worker-0",
                {"serving": {**serving, "address": first.address, "routes": [{"methods": ["*"], "prefix": "/"}]}},
            )
            for path in (b"//evil.example/x", b"/@evil.example", b"/%2f%2fevil.example/x", b"http://evil.example/x"):
                reader, writer = await asyncio.open_connection("127.0.0.1", there.client.port)
                writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 ")
                writer.close()
            assert len(there.reached) >= 3, "they reached the worker, and nobody else"

    asyncio.run(scenario())
