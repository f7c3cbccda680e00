"""docs/http_api.md says what there is: every route, every message, and nothing else."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web

import server
from server.app import APART, BARE, all_routes
from server.events.features import server_flags
from server.prompts.job_json import STATUSES
from server.routes import editor
from server.settings import ServerSettings

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "http_api.md").read_text()
CODE = "\n".join(path.read_text() for path in Path(server.__file__).parent.rglob("*.py"))


def registered():
    """Methods and paths; of a parameter only its name."""
    return {(each.method, plain(each.path)) for each in all_routes() if isinstance(each, web.RouteDef)}


def plain(path):
    return re.sub(r":[^}]*}", "}", path)


def documented():
    return set(re.findall(r"^### (GET|HEAD|POST|PUT|PATCH|DELETE) (/\S*)$", DOCUMENT, re.MULTILINE))


def test_every_route_is_in_the_document_once_and_the_other_way_round():
    copies = {(each.method, plain(f"/api{each.path}")) for room in BARE for each in room.ROUTES}
    assert documented() == registered() - copies


def test_every_route_that_is_not_below_api_is_there_a_second_time():
    routes = registered()
    for method, path in documented():
        apart = [*editor.ROUTES, *editor.ALWAYS, *(route for room in APART for route in room.BARE_ROUTES)]
        is_page = path in {plain(route.path) for route in apart}
        assert is_page or path.startswith("/api/") or (method, f"/api{path}") in routes


def shell_lines():
    return [line for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("line", shell_lines())
def test_an_example_asks_for_a_route_there_is(line):
    address = re.search(r"http://127\.0\.0\.1:8188[^\s\"]*", line)
    assert address is not None
    named = re.search(r" -X (\w+)", line)
    sends = re.search(r" (-d|-F|--data-binary) ?", line) is not None
    asked = named[1] if named else "POST" if sends else "GET"
    patterns = [re.sub(r"\{\w+\}", "[^/]+", path) for method, path in documented() if method == asked]
    path = urlsplit(address[0]).path
    assert any(re.fullmatch(pattern, path) for pattern in patterns), path


@pytest.mark.parametrize("text", re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL))
def test_an_example_of_an_answer_is_json(text):
    assert json.loads(text)


def test_every_message_of_the_socket_is_in_its_table():
    table = DOCUMENT.partition("| type | data |")[2].partition("Binary frames")[0]
    told = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    said = set(re.findall(r"(?:NewEvent|_remember|message|_status)\(\s*\"(\w+)\"", CODE))
    assert said - {"type"} <= told, said
    assert {"executing", "execution_error", "progress_state"} <= said


def test_every_flag_and_every_status_of_a_job_is_named():
    for word in [*server_flags(ServerSettings()), *STATUSES]:
        assert f"`{word}`" in DOCUMENT or word in DOCUMENT


def test_every_type_of_refusal_is_named():
    for type in re.findall(r"refusal\(\s*\"(\w+)\"", CODE):
        assert f"`{type}`" in DOCUMENT, type
