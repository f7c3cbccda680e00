"""The protocol as clients see it, line by line: what is asked of a running server, and what has to come back.

What takes more than one request is elsewhere: routes/ (each route's own rules), test_road.py (orders and races),
routes/test_socket.py and events/ (the socket), test_bad_input.py (what is refused).
"""

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server.client import Client, ended, post
from tests.server.conftest import server_in

DONE = "0d6c2a4e-1c58-4a3f-9d0a-3f1b6f0c9a11"
GONE = "ffffffff-ffff-4fff-bfff-ffffffffffff"
GRAPH: dict[str, Any] = {
    "1": {"class_type": "ToyPreview", "inputs": {"value": 1, "steps": 2, "seconds": 0.05}, "_meta": {"title": "Mine"}},
    "2": {"class_type": "ToySave", "inputs": {"value": ["1", 0]}, "unknown": ["kept"]},
    "3": {"class_type": "ToyShow", "inputs": {"value": ["1", 0], "undeclared": {"a": 1}}},
}
EXTRA = {"extra_pnginfo": {"workflow": {"id": "w-1", "nodes": []}}, "api_key_comfy_org": "s3cret"}
UNKNOWN = {"7": {"class_type": "NoSuchNode", "inputs": {}, "_meta": {"title": "My node"}}}
LABELS = ("application/x-www-form-urlencoded", "application/octet-stream", "text/plain", "multipart/form-data", None)

Check = Callable[[Any], bool]

SHIPPED_LORAS = ["latentwire_icons_inpainting.safetensors", "latentwire_icons_sticker.safetensors"]


@dataclass(frozen=True)
class Line:
    """A request, and what the document promises about its answer. holds: asked with the parsed JSON, or with bytes."""

    about: str
    method: str
    path: str
    status: int = 200
    holds: Check = lambda body: True
    type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    json: Any = None


def is_same(expected: Any) -> Check:
    return lambda body: bool(body == expected)


def has(*names: str) -> Check:
    return lambda body: {*names} <= body.keys()


def refused(type: str) -> Check:
    return lambda body: body["error"]["type"] == type and {"message", "details", "extra_info"} <= body["error"].keys()


def error(body: Any) -> bool:
    return list(body) == ["error"] and isinstance(body["error"], str) and len(body["error"]) > 10


JSON = "application/json; charset=utf-8"
PROMPT = json.dumps({"prompt": GRAPH, "client_id": "me"}).encode()
FREE = {"unload_models": True, "free_memory": True}
CLEAR = b'{"clear": false}'


NOTHING = is_same({"cancelled": False})


def _transport() -> list[Line]:
    return [
        Line("every route exists twice", "GET", "/api/prompt", holds=has("exec_info"), type=JSON),
        Line("… bare too", "GET", "/prompt", holds=has("exec_info"), type=JSON),
        Line("jobs exist with the prefix only", "GET", "/jobs", 404, error),
        Line("unknown paths are 404", "GET", "/nothing/here", 404, error),
        Line("another method says which", "DELETE", "/prompt", 405, error),
        Line("unknown parameters are ignored", "GET", "/queue?clientId=x&a=b", holds=has("queue_running")),
        Line("… everywhere", "GET", "/history?clientId=x", holds=has(DONE)),
        Line("… in lists of jobs", "GET", "/api/jobs?clientId=x", holds=has("jobs", "pagination")),
        Line("malformed JSON is no failure of ours", "POST", "/prompt", 400, refused("invalid_request"), body=b"{"),
        Line("an empty body neither", "POST", "/queue", 400, error, body=b""),
        Line("… nor for the history", "POST", "/history", 400, error, body=b""),
        Line("… nor when memory is freed", "POST", "/free", 400, error, body=b""),
        Line("an interrupt needs no body", "POST", "/interrupt", holds=is_same(b""), body=b""),
        Line("success without content is empty", "POST", "/queue", holds=is_same(b""), body=CLEAR),
        Line("… freeing memory", "POST", "/free", holds=is_same(b""), json=FREE),
        Line("… the history", "POST", "/history", holds=is_same(b""), body=CLEAR),
        Line("… settings", "POST", "/settings", holds=is_same(b""), json={"Some.Setting": 1}),
        Line("… deleted user data", "DELETE", "/userdata/gone.txt", 204, is_same(b"")),
        Line("HEAD is GET without a body", "HEAD", "/queue", holds=is_same(b"")),
        Line("… for files", "HEAD", "/view?filename=a.png&type=input", holds=is_same(b""), type="image/png"),
        Line(
            "foreign pages may not use loopback", "GET", "/prompt", 403, error, headers={"Origin": "http://evil.test"}
        ),
        Line("… nor pages without an origin", "POST", "/interrupt", 403, error, headers={"Origin": "null"}),
        *(
            Line(f"the content type is not looked at: {label}", "POST", "/queue", body=CLEAR, headers=_label(label))
            for label in LABELS
        ),
        *(
            Line(
                f"a prompt labelled {label}",
                "POST",
                "/prompt",
                holds=has("prompt_id"),
                body=PROMPT,
                headers=_label(label),
            )
            for label in LABELS
        ),
    ]


def _label(label: str | None) -> dict[str, str]:
    return {} if label is None else {"Content-Type": label}


def _prompts() -> list[Line]:
    return [
        Line("nothing is no prompt", "POST", "/prompt", 400, refused("no_prompt"), json={}),
        Line("nor is an empty graph", "POST", "/prompt", 400, refused("prompt_no_outputs"), json={"prompt": {}}),
        Line(
            "a graph without outputs",
            "POST",
            "/prompt",
            400,
            refused("prompt_no_outputs"),
            json={"prompt": {"1": GRAPH["1"]}},
        ),
        Line(
            "an unknown class is named with its node",
            "POST",
            "/prompt",
            400,
            lambda body: (
                refused("missing_node_type")(body)
                and [body["error"]["extra_info"][each] for each in ("node_id", "class_type", "node_title")]
                == ["7", "NoSuchNode", "My node"],
            ),
            json={"prompt": UNKNOWN},
        ),
        Line(
            "a chosen id is a canonical UUID",
            "POST",
            "/prompt",
            400,
            refused("invalid_prompt_id"),
            json={"prompt": GRAPH, "prompt_id": DONE.upper()},
        ),
        Line(
            "one good output is enough, and the bad one is named",
            "POST",
            "/prompt",
            200,
            lambda body: (
                list(body["node_errors"]) == ["9"]
                and {"errors", "dependent_outputs", "class_type"} == body["node_errors"]["9"].keys()
            ),
            json={"prompt": {**GRAPH, "9": {"class_type": "ToyShow", "inputs": {}}}},
        ),
        Line("the answer", "POST", "/prompt", holds=has("prompt_id", "number", "node_errors"), json={"prompt": GRAPH}),
    ]


def _records() -> list[Line]:
    return [
        Line("the queue", "GET", "/queue", holds=lambda body: list(body) == ["queue_running", "queue_pending"]),
        Line("one entry of the history", "GET", f"/history/{DONE}", holds=_is_entry),
        Line("… in all of it", "GET", "/history", holds=lambda body: _is_entry(body)),
        Line("… by page", "GET", "/history?max_items=1&offset=0", holds=lambda body: list(body) == [DONE]),
        Line("what is unknown is nothing", "GET", f"/history/{GONE}", holds=is_same({})),
        Line("a job", "GET", f"/api/jobs/{DONE}", holds=_is_job),
        Line(
            "jobs of a workflow", "GET", "/api/jobs?workflow_id=w-1", holds=lambda body: body["jobs"][0]["id"] == DONE
        ),
        Line(
            "jobs in some states, sorted",
            "GET",
            "/api/jobs?status=completed,failed,cancelled&limit=64&offset=0&sort_by=execution_duration&sort_order=asc",
            holds=lambda body: body["pagination"]["limit"] == 64 and not body["pagination"]["has_more"],
        ),
        *(
            Line(f"a bad value is named: {query}", "GET", f"/api/jobs?{query}", 400, error)
            for query in ("status=done", "sort_by=size", "sort_order=up", "limit=x", "limit=-1", "offset=-1")
        ),
        Line("an unknown job", "GET", f"/api/jobs/{GONE}", 404, is_same({"error": "Job not found"})),
        Line("cancelling what has ended", "POST", f"/api/jobs/{DONE}/cancel", holds=NOTHING),
        Line(
            "… several", "POST", "/api/jobs/cancel", holds=is_same({"cancelled": False}), json={"job_ids": [DONE, GONE]}
        ),
        Line(
            "… ids that are none",
            "POST",
            "/api/jobs/cancel",
            400,
            lambda body: body["invalid_ids"] == ["x"] and isinstance(body["error"], str),
            json={"job_ids": [DONE, "x"]},
        ),
    ]


def _is_entry(body: Any) -> bool:
    entry = body[DONE]
    _, id, graph, extra, outputs = entry["prompt"]
    types = [type for type, _ in entry["status"]["messages"]]
    return (
        list(entry) == ["prompt", "outputs", "meta", "status"]
        and (id, sorted(outputs)) == (DONE, ["2", "3"])
        and graph["1"]["_meta"] == {"title": "Mine"}
        and graph["2"]["unknown"] == ["kept"]
        and extra["client_id"] == "me"
        and "api_key_comfy_org" not in extra
        and types == ["execution_start", "execution_cached", "execution_success"]
        and entry["meta"]["2"] == {"node_id": "2", "display_node": "2", "parent_node": None, "real_node_id": "2"}
        and entry["status"]["status_str"] == "success"
        and entry["status"]["completed"] is True
    )


def _is_job(body: Any) -> bool:
    return (
        (body["id"], body["status"], body["workflow_id"]) == (DONE, "completed", "w-1")
        and {"outputs", "execution_status", "workflow", "execution_start_time", "execution_end_time"} <= body.keys()
        and body["preview_output"]["nodeId"] == "2"
        and body["outputs_count"] >= body["previewable_outputs_count"] >= 1
        and None not in body.values()
        and "s3cret" not in str(body)
    )


def _nodes_and_models() -> list[Line]:
    needed = ("input", "input_order", "output", "output_is_list", "output_name", "name", "display_name", "category")
    return [
        Line("every node type", "GET", "/object_info", holds=lambda body: has(*needed)(body["ToySave"]), type=JSON),
        Line("one", "GET", "/object_info/ToySave", holds=lambda body: list(body) == ["ToySave"]),
        Line("none", "GET", "/object_info/NoSuchNode", holds=is_same({})),
        Line("embeddings have no extension", "GET", "/embeddings", holds=is_same(["bad.hands"])),
        Line("kinds of models", "GET", "/models", holds=lambda body: {"checkpoints", "audio_encoders"} <= {*body}),
        Line("… without the old names", "GET", "/models", holds=lambda body: not {"clip", "unet"} & {*body}),
        Line("files of a kind", "GET", "/models/loras", holds=is_same(["a.safetensors", *SHIPPED_LORAS])),
        Line("old names are looked up", "GET", "/models/unet", holds=is_same([])),
        Line("unknown kinds", "GET", "/models/nothing", 404, error),
        Line("the library", "GET", "/experiment/models", holds=lambda body: {"name", "folders"} == body[0].keys()),
        Line(
            "… a kind",
            "GET",
            "/experiment/models/loras",
            holds=lambda body: {"name", "pathIndex", "modified", "created", "size"} == body[0].keys(),
        ),
        Line("… a picture", "GET", "/experiment/models/preview/loras/0/a.safetensors", type="image/webp"),
        Line("… or none", "GET", "/experiment/models/preview/loras/0/b.safetensors", 404, error),
        Line(
            "a header's metadata", "GET", "/view_metadata/loras?filename=a.safetensors", holds=is_same({"author": "me"})
        ),
        Line("… or none", "GET", "/view_metadata/loras?filename=b.safetensors", 404, error),
        Line("scripts", "GET", "/extensions", holds=is_same([])),
        Line("examples", "GET", "/workflow_templates", holds=is_same({})),
        Line("texts", "GET", "/i18n", holds=is_same({})),
        Line("templates", "GET", "/templates/index.json", holds=lambda body: bool(body[0]["templates"])),
        Line("shared sub-graphs", "GET", "/global_subgraphs", holds=is_same({})),
        Line("replacements", "GET", "/node_replacements", holds=is_same({})),
        Line(
            "features",
            "GET",
            "/features",
            holds=lambda body: body["supports_preview_metadata"] is True and body["max_upload_size"] == 100 << 20,
        ),
        Line("assets of 0.38 are not promised", "GET", "/features", holds=lambda body: "assets" not in body),
    ]


def _files() -> list[Line]:
    name = "filename=a.png&type=input"
    return [
        Line("a file", "GET", f"/view?{name}&subfolder=&rand=0.5", type="image/png", holds=is_same(_picture())),
        Line("the annotation wins", "GET", "/view?filename=a.png%20[input]&type=output", type="image/png"),
        Line("a preview", "GET", f"/view?{name}&preview=jpeg;50", type="image/jpeg"),
        Line("another", "GET", f"/view?{name}&preview=bmp", type="image/webp"),
        Line("colours alone", "GET", f"/view?{name}&channel=rgb", holds=lambda data: _mode(data) == "RGB"),
        Line("alpha alone", "GET", f"/view?{name}&channel=a", holds=lambda data: _mode(data) == "RGBA"),
        Line("a part", "GET", f"/view?{name}", 206, lambda data: len(data) == 4, headers={"Range": "bytes=0-3"}),
        Line("no name", "GET", "/view", 404, error),
        Line("no file", "GET", "/view?filename=b.png", 404, error),
        Line("a path from the root", "GET", "/view?filename=/etc/passwd", 400, error),
        Line("a path that leads out", "GET", "/view?filename=../a.png", 400, error),
        Line("an unknown type", "GET", "/view?filename=a.png&type=user", 400, error),
        Line("a folder that leads out", "GET", "/view?filename=a.png&type=input&subfolder=../user", 403, error),
        Line("an upload without a file", "POST", "/upload/image", 400, error, body=b""),
        Line("one person", "GET", "/users", holds=lambda body: body["storage"] == "server" and "migrated" in body),
        Line("settings", "GET", "/settings", holds=lambda body: body["Some.Setting"] == 1),
        Line("one setting", "GET", "/settings/Some.Setting", holds=is_same(1)),
        Line("one that is not set", "GET", "/settings/Other", holds=is_same(None)),
        Line("user data needs a folder", "GET", "/userdata", 400, error),
        Line("… that is there", "GET", "/userdata?dir=nothing", 404, error),
        Line("… inside", "GET", "/userdata?dir=..", 403, error),
        Line("names", "GET", "/userdata?dir=workflows", holds=is_same(["a.json"])),
        Line(
            "names below",
            "GET",
            "/userdata?dir=workflows&recurse=true&split=false",
            holds=is_same(["a.json", "sub/b.json"]),
        ),
        Line(
            "in parts",
            "GET",
            "/userdata?dir=workflows&recurse=true&split=true",
            holds=is_same([["a.json", "a.json"], ["sub/b.json", "sub", "b.json"]]),
        ),
        Line(
            "with more",
            "GET",
            "/userdata?dir=workflows&full_info=true",
            holds=lambda body: {"path", "size", "modified", "created"} == body[0].keys(),
        ),
        Line("folders first", "GET", "/v2/userdata?path=workflows", holds=lambda body: body[0]["type"] == "directory"),
        Line("a file", "GET", "/userdata/workflows%2Fa.json", holds=is_same({"a": 1})),
        Line("… is not replaced", "POST", "/userdata/workflows%2Fa.json?overwrite=false", 409, error, body=b"{}"),
        Line("… or is, and its path told", "POST", "/userdata/x.txt", holds=is_same("x.txt"), body=b"raw \xff"),
        Line("… moved", "POST", "/userdata/x.txt/move/sub%2Fy.txt", holds=is_same("sub/y.txt")),
        Line("… gone", "GET", "/userdata/x.txt", 404, error),
        Line("the log", "GET", "/internal/logs", holds=lambda body: isinstance(body, str)),
        Line("… its lines", "GET", "/internal/logs/raw", holds=has("entries", "size")),
        Line("folders", "GET", "/internal/folder_paths", holds=has("checkpoints", "custom_nodes")),
        Line("files in one", "GET", "/internal/files/input", holds=is_same(["a.png"])),
        Line(
            "the computer",
            "GET",
            "/system_stats",
            holds=lambda body: body["devices"][0]["vram_total"] > 0 and "comfyui_version" in body["system"],
        ),
    ]


def _picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGBA", (4, 4), (10, 20, 30, 40)).save(data, "PNG")
    return data.getvalue()


def _mode(data: bytes) -> str:
    return Image.open(io.BytesIO(data)).mode


def _lay_out(base: Path) -> None:
    header = json.dumps({"__metadata__": {"author": "me"}}).encode()
    for name, data in {
        "input/a.png": _picture(),
        "models/embeddings/bad.hands.pt": b"x",
        "models/loras/a.safetensors": len(header).to_bytes(8, "little") + header,
        "models/loras/a.png": _picture(),
        "user/default/workflows/a.json": b'{"a": 1}',
        "user/default/workflows/sub/b.json": b"{}",
        "user/default/gone.txt": b"",
    }.items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(data)


LINES = [*_transport(), *_prompts(), *_records(), *_nodes_and_models(), *_files()]

Answers = list[tuple[int, Mapping[str, str], bytes]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What one server answered to all of them, one after another."""
    base = tmp_path_factory.mktemp("protocol")
    _lay_out(base)

    async def scenario() -> Answers:
        async with server_in(base)() as client:
            await ended(client, await post(client, GRAPH, prompt_id=DONE, client_id="me", extra_data=EXTRA))
            return [await _asked(client, line) for line in LINES]

    return asyncio.run(scenario())


async def _asked(client: Client, line: Line) -> tuple[int, Mapping[str, str], bytes]:
    data = line.body if line.json is None else json.dumps(line.json).encode()
    async with client.request(
        line.method, line.path, data=data, headers=line.headers, skip_auto_headers=["Content-Type"]
    ) as answer:
        return answer.status, dict(answer.headers), await answer.read()


@pytest.mark.parametrize(
    "number", range(len(LINES)), ids=lambda i: f"{LINES[i].method} {LINES[i].path}: {LINES[i].about}"
)
def test_a_line_of_the_protocol_is_kept(answers: Answers, number: int) -> None:
    line, (status, headers, data) = LINES[number], answers[number]
    assert status == line.status, data
    type = headers.get("Content-Type", "")
    if line.type is not None:
        assert type == line.type
    body = json.loads(data) if data and type.startswith("application/json") else data
    assert line.holds(body), body
