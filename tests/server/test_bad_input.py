"""Malformed prompts and requests: each is refused with the right status and names what is wrong, and nothing breaks."""

import asyncio
import gzip
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from server import keys
from tests.server.client import Client
from tests.server.quiet import PROMPT, prompt, quiet

World = Callable[[Callable[[Client], Awaitable[None]]], None]
"""Runs a scenario against the one server of this file; starting one for each line of the tables takes too long."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with asyncio.Runner() as runner:
        server = quiet(tmp_path_factory.mktemp("server"))
        client = runner.run(server.__aenter__())
        yield lambda scenario: runner.run(_run(scenario, client))
        runner.run(server.__aexit__(None, None, None))


async def _run(scenario: Callable[[Client], Awaitable[None]], client: Client) -> None:
    await scenario(client)


KINDS: dict[str, Any] = {
    "a number": 5,
    "a fraction": 1.5,
    "a text": "no",
    "a list": [1],
    "an object": {"a": 1},
    "true": True,
    "false": False,
}
"""A value of every type JSON has; null stands for "not given"."""

FIELDS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "client_id": ("/prompt", {"prompt": PROMPT}, ("a text", "a number", "a fraction")),
    "prompt_id": ("/prompt", {"prompt": PROMPT}, ()),
    "number": ("/prompt", {"prompt": PROMPT}, ("a number", "a fraction")),
    "front": ("/prompt", {"prompt": PROMPT}, ("true", "false")),
    "extra_data": ("/prompt", {"prompt": PROMPT}, ("an object",)),
    "partial_execution_targets": ("/prompt", {"prompt": PROMPT}, ()),
    "prompt": ("/prompt", {}, ()),
    "clear": ("/queue", {}, ("true", "false")),
    "delete": ("/queue", {}, ()),
    "unload_models": ("/free", {}, ("true", "false")),
    "free_memory": ("/free", {}, ("true", "false")),
    "job_ids": ("/api/jobs/cancel", {}, ()),
}
"""Fields, where they are sent, what else is sent there, and the types they may have (of KINDS)."""


def wrong_fields() -> Iterator[Any]:
    for name, (path, around, right) in FIELDS.items():
        paths = (path, "/history") if name in ("clear", "delete") else (path,)
        for each in paths:
            for kind in KINDS:
                if kind not in right:
                    yield pytest.param(each, {**around, name: KINDS[kind]}, name, id=f"{each} {name} {kind}")
    for kind in ("a number", "a list", "an object", "true"):
        yield pytest.param("/interrupt", {"prompt_id": KINDS[kind]}, "prompt_id", id=f"/interrupt prompt_id {kind}")


@pytest.mark.parametrize(("path", "body", "named"), [*wrong_fields()])
def test_a_field_of_another_type_is_refused_by_name(world: World, path: str, body: Any, named: str) -> None:
    async def scenario(client: Client) -> None:
        text = await refused(client, path, json.dumps(body).encode())
        assert named in text
        await is_well(client)

    world(scenario)


INNER: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a client id with NUL": ({"client_id": "a\0b"}, ("client_id", "NUL")),
    "a very long client id": ({"client_id": "a" * 1001}, ("client_id", "1,000 characters")),
    "half a character in the client id": ({"client_id": "\ud800"}, ("client_id", "surrogate")),
    "an id that is no UUID": ({"prompt_id": "abc"}, ("prompt_id", "UUID", "abc")),
    "an id in capitals": ({"prompt_id": "6F9619FF-8B86-4D01-B42D-00CF4FC964FF"}, ("prompt_id", "lower case")),
    "an id without hyphens": ({"prompt_id": "6f9619ff8b864d01b42d00cf4fc964ff"}, ("prompt_id", "hyphens")),
    "an id in braces": ({"prompt_id": "{6f9619ff-8b86-4d01-b42d-00cf4fc964ff}"}, ("prompt_id",)),
    "an id and a line break": ({"prompt_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff\n"}, ("prompt_id",)),
    "an empty id": ({"prompt_id": ""}, ("prompt_id", "UUID")),
    "a number beyond floats": ({"number": 10**400}, ("number", "too large")),
    "a text of a number beyond floats": ({"number": "1e999"}, ("number: expected a number", "1e999")),
    "a text of no number": ({"number": "five"}, ("number: expected a number", "five")),
    "an empty text of a number": ({"number": ""}, ("number: expected a number",)),
    "a text of a number in Python's way": ({"number": "1_000"}, ("number: expected a number", "1_000")),
    "a text of digits of others": ({"number": "\u0663"}, ("number: expected a number",)),
    "neither true nor false": ({"front": 2}, ("front: expected true or false", "2")),
    "a fraction for true": ({"front": 0.5}, ("front: expected true or false", "0.5")),
    "a text for true": ({"front": "true"}, ("front: expected true or false",)),
    "a very long number for a client": ({"client_id": 10**1500}, ("client_id", "1,000 characters")),
    "true for a client": ({"client_id": True}, ("client_id: expected a text", "true")),
    "a target that is no text": ({"partial_execution_targets": ["9", 9]}, ("partial_execution_targets[1]", "9")),
    "targets that are not there": ({"partial_execution_targets": ["77"]}, ("prompt_no_outputs", "77")),
    "no targets": ({"partial_execution_targets": []}, ("prompt_no_outputs",)),
    "picture data as a list": ({"extra_data": {"extra_pnginfo": []}}, ("extra_data.extra_pnginfo", "an object")),
    "a token as a number": ({"extra_data": {"auth_token_comfy_org": 5}}, ("extra_data.auth_token_comfy_org",)),
    "a key as a list": ({"extra_data": {"api_key_comfy_org": ["k"]}}, ("extra_data.api_key_comfy_org",)),
    "a preview method as an object": ({"extra_data": {"preview_method": {}}}, ("extra_data.preview_method",)),
    "deep data in the picture": ({"extra_data": {"a": json.loads("[" * 499 + "]" * 499)}}, ("500 levels",)),
}


@pytest.mark.parametrize("name", INNER)
def test_what_a_field_holds_is_checked(world: World, name: str) -> None:
    more, named = INNER[name]

    async def scenario(client: Client) -> None:
        text = await refused(client, "/prompt", json.dumps({"prompt": PROMPT, **more}).encode())
        for each in named:
            assert each in text
        await is_well(client)

    world(scenario)


def graph(**nodes: Any) -> dict[str, Any]:
    """PROMPT with other nodes: graph(_3={...}); None leaves one out."""
    made = {**PROMPT, **{name[1:]: node for name, node in nodes.items()}}
    return {name: node for name, node in made.items() if node is not None}


def without(node: str, name: str) -> dict[str, Any]:
    made = prompt()
    del made[node]["inputs"][name]
    return made


GRAPHS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "null": (None, ("a prompt is an object of nodes", "null")),
    "nothing": ({}, ("prompt_no_outputs", "the graph is empty")),
    "no output": (graph(_9=None), ("prompt_no_outputs", "SaveImage")),
    "a node that is null": ({**PROMPT, "3": None}, ("node '3'", "null")),
    "a node that is a text": (graph(_3="KSampler"), ("node '3'", "a text")),
    "a node that is a list": (graph(_3=["KSampler", {}]), ("node '3'", "a list")),
    "a node that is a number": (graph(_3=7), ("node '3'", "a number")),
    "a node without class": (graph(_3={"inputs": {}}), ("missing_node_type", "class_type", '"3"')),
    "a class that is null": (graph(_3={"class_type": None}), ("missing_node_type", '"3"')),
    "an empty class": (graph(_3={"class_type": ""}), ("missing_node_type", '"3"')),
    "a class that is a number": (graph(_3={"class_type": 5}), ("node '3'", "class_type", "a number")),
    "a class that is a list": (graph(_3={"class_type": ["KSampler"]}), ("node '3'", "class_type", "a list")),
    "an unknown class": (graph(_3={"class_type": "KSamplr"}), ("missing_node_type", "KSamplr", "KSampler", '"3"')),
    "an unknown class nobody needs": (graph(_77={"class_type": "Foo"}), ("missing_node_type", "Foo", '"77"')),
    "a class of Python's": (graph(_3={"class_type": "__class__"}), ("missing_node_type", "__class__")),
    "inputs that are a list": (graph(_3={"class_type": "KSampler", "inputs": []}), ("node '3'", "inputs", "a list")),
    "inputs that are a text": (graph(_3={"class_type": "KSampler", "inputs": "x"}), ("node '3'", "inputs")),
    "no inputs": (graph(_3={"class_type": "KSampler"}), ("required_input_missing", '"3"', "seed", "model")),
    "a missing value": (without("3", "steps"), ("required_input_missing", '"3"', "steps")),
    "a missing link": (without("8", "vae"), ("required_input_missing", '"8"', "vae")),
    "a link to nowhere": (prompt(_8={"vae": ["77", 0]}), ("'77'", '"8"', "vae")),
    "a link to a slot that is not there": (prompt(_8={"vae": ["4", 9]}), ('"8"', "vae", "9")),
    "a link to a slot before the first": (prompt(_8={"vae": ["4", -1]}), ('"8"', "vae", "-1")),
    "a link of another type": (prompt(_8={"vae": ["4", 0]}), ("return_type_mismatch", '"8"', "vae", "MODEL")),
    "a link to itself": (prompt(_8={"samples": ["8", 0]}), ('"8"', "samples")),
    "a circle": (
        graph(
            _5={
                "class_type": "LatentUpscaleBy",
                "inputs": {"samples": ["10", 0], "upscale_method": "area", "scale_by": 1},
            },
            _10={
                "class_type": "LatentUpscaleBy",
                "inputs": {"samples": ["5", 0], "upscale_method": "area", "scale_by": 1},
            },
        ),
        ("dependency_cycle", '"5"', '"10"'),
    ),
    "a link of one": (prompt(_8={"vae": ["4"]}), ("bad_linked_input", '"8"', "vae")),
    "a link of three": (prompt(_8={"vae": ["4", 2, 0]}), ("bad_linked_input", '"8"', "vae")),
    "an empty link": (prompt(_8={"vae": []}), ("bad_linked_input", '"8"', "vae")),
    "a link the wrong way round": (prompt(_8={"vae": [2, "4"]}), ("bad_linked_input", '"8"', "vae")),
    "a link whose node is a number": (prompt(_8={"vae": [4, 2]}), ("bad_linked_input", '"8"', "vae")),
    "a link whose slot is a text": (prompt(_8={"vae": ["4", "2"]}), ("bad_linked_input", '"8"', "vae")),
    "a link whose slot is a fraction": (prompt(_8={"vae": ["4", 2.0]}), ("bad_linked_input", '"8"', "vae")),
    "a link whose slot is true": (prompt(_8={"vae": ["4", True]}), ("bad_linked_input", '"8"', "vae")),
    "a link whose slot is enormous": (prompt(_8={"vae": ["4", 10**30]}), ('"8"', "vae")),
    "a value instead of a link": (prompt(_8={"vae": "taesd"}), ('"8"', "vae", "VAE")),
    "an object instead of a link": (prompt(_8={"vae": {"a": 1}}), ('"8"', "vae", "VAE")),
    "null instead of a link": (prompt(_8={"vae": None}), ('"8"', "vae", "VAE")),
    "a text instead of a number": (prompt(_3={"steps": "many"}), ("invalid_input_type", '"3"', "steps", "many")),
    "an object instead of a number": (prompt(_3={"steps": {}}), ("invalid_input_type", '"3"', "steps")),
    "null instead of a number": (prompt(_3={"steps": None}), ("invalid_input_type", '"3"', "steps")),
    "a list as a value": (prompt(_3={"steps": {"__value__": [20]}}), ("invalid_input_type", '"3"', "steps")),
    "a bare list as a value": (prompt(_3={"steps": [1, 2, 3]}), ("bad_linked_input", '"3"', "steps")),
    "a number instead of a choice": (prompt(_3={"sampler_name": 5}), ("value_not_in_list", '"3"', "sampler_name")),
    "null instead of a choice": (prompt(_3={"sampler_name": None}), ("value_not_in_list", '"3"', "sampler_name")),
    "an unknown choice": (prompt(_3={"sampler_name": "eular"}), ("value_not_in_list", '"3"', "eular", "euler")),
    "a list of choices": (
        prompt(_3={"scheduler": {"__value__": ["karras"]}}),
        ("value_not_in_list", '"3"', "scheduler"),
    ),
    "an unknown model": (prompt(_4={"ckpt_name": "../x.safetensors"}), ("value_not_in_list", '"4"', "ckpt_name")),
    "a number too small": (prompt(_3={"steps": 0}), ("value_smaller_than_min", '"3"', "steps")),
    "a number too large": (prompt(_3={"steps": 10**9}), ("value_bigger_than_max", '"3"', "steps")),
    "a seed below zero": (prompt(_3={"seed": -1}), ("value_smaller_than_min", '"3"', "seed")),
    "a seed of 65 bits": (prompt(_3={"seed": 2**64}), ("value_bigger_than_max", '"3"', "seed")),
    "a number of 5,000 bits": (prompt(_3={"seed": 2**5000}), ("node '3'", "'seed'", "5,001 bits")),
    "a width that is a fraction of a text": (prompt(_5={"width": "5.5"}), ("invalid_input_type", '"5"', "width")),
    "an infinite text as a number": (prompt(_3={"cfg": "inf"}), ("invalid_input_type", '"3"', "cfg")),
    "a text of NaN as a number": (prompt(_3={"cfg": "nan"}), ("invalid_input_type", '"3"', "cfg")),
    "an object instead of a text": (prompt(_6={"text": {"a": "cat"}}), ("invalid_input_type", '"6"', "text")),
    "null instead of a text": (prompt(_6={"text": None}), ("invalid_input_type", '"6"', "text")),
    "a text with NUL": (prompt(_6={"text": "a\0b"}), ("NUL", '"6"', "text")),
    "half a character in a text": (prompt(_6={"text": "a\udc80"}), ("prompt.6.inputs.text", "surrogate")),
    "half a character in an id": ({**PROMPT, "\ud800": PROMPT["9"]}, ("prompt", "surrogate")),
    "a text of 1.1 MB": (prompt(_6={"text": "x" * 1_100_000}), ("node '6'", "'text'", "1,100,000", "1,000,000")),
    "a deep value": (prompt(_6={"text": json.loads("[" * 490 + "]" * 490)}), ('"6"', "text")),
    "a value that is too deep": (prompt(_6={"text": json.loads("[" * 600 + "]" * 600)}), ("500 levels",)),
    "100,001 nodes": ({str(number): {"class_type": "X"} for number in range(100_001)}, ("100,001 nodes", "100,000")),
    "a name that leaves the output folder": (prompt(_9={"filename_prefix": "../../x"}), ('"9"', "filename_prefix")),
    "an absolute name": (prompt(_9={"filename_prefix": "/etc/x"}), ('"9"', "filename_prefix")),
    "a picture that is not there": (
        graph(
            _10={"class_type": "LoadImage", "inputs": {"image": "nobody.png"}},
            _9={"class_type": "SaveImage", "inputs": {"images": ["10", 0], "filename_prefix": "x"}},
        ),
        ('"10"', "image", "nobody.png"),
    ),
    "a request in a request": ({"prompt": PROMPT}, ("request around a prompt",)),
    "a workflow without nodes": ({"nodes": [], "links": []}, ("invalid_prompt", "nothing")),
    "a workflow of rubbish": ({"nodes": [5], "links": [[1]]}, ("invalid_prompt",)),
    "a workflow whose links are no list": (
        {"nodes": [{"id": 1, "type": "SaveImage"}], "links": 5},
        ("invalid_prompt",),
    ),
    "a workflow of an unknown type": ({"nodes": [{"id": 1, "type": "Foo"}], "links": []}, ("Foo",)),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_malformed_prompt_is_refused_with_node_and_input(world: World, name: str) -> None:
    sent, named = GRAPHS[name]

    async def scenario(client: Client) -> None:
        text = await refused(client, "/prompt", json.dumps({"prompt": sent}).encode())
        for each in named:
            assert each in text, f"{each} in {text[:2000]}"
        await is_well(client)

    world(scenario)


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "spaces": b"   ",
    "no JSON": b"hello",
    "a form": b"prompt=1&client_id=2",
    "multipart": b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n{}\r\n--x--\r\n',
    "null": b"null",
    "true": b"true",
    "a number": b"5",
    "a text": b'"prompt"',
    "a list": b"[]",
    "a cut object": b'{"prompt": {"3": {"cla',
    "NaN": b'{"prompt": {"3": NaN}, "delete": [NaN], "prompt_id": NaN, "job_ids": [NaN], "unload_models": NaN}',
    "a key twice": b'{"prompt": {}, "prompt": {}}',
    "a node twice": b'{"prompt": {"3": {}, "4": {}, "3": {}}}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"prompt": {}}'.encode("utf-16"),
    "UTF-32": '{"prompt": {}}'.encode("utf-32"),
    "Latin-1": '{"é": 1}'.encode("latin-1"),
    "zeros": b"\0" * 100,
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"prompt":' * 50_000,
    "a long number": b'{"number": ' + b"1" * 10_000 + b"}",
    "half a character": rb'{"client_id": "\ud800", "prompt_id": "\ud800", "delete": ["\ud800"]}',
    "a cut picture": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "a JPEG of nothing": b"\xff\xd8\xff\xe0\x00",
    "a WebP of nothing": b"RIFF\x04\x00\x00\x00WEBP",
    "a PNG whose chunk is longer than it": b"\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXtprompt\0{}",
    "a sound": b"RIFF\x04\x00\x00\x00WAVE",
}
POSTS = ("/prompt", "/queue", "/history", "/interrupt", "/free", "/api/jobs/cancel")
MAY_BE_EMPTY = ("/interrupt",)


@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_is_no_object_in_strict_json_is_refused_everywhere(world: World, path: str) -> None:
    async def scenario(client: Client) -> None:
        for name, data in BODIES.items():
            if path in MAY_BE_EMPTY and not data.strip():
                continue
            for each in {path, f"/api{path.removeprefix('/api')}"}:
                assert await refused(client, each, data), (each, name)
        await is_well(client)

    world(scenario)


@pytest.mark.parametrize("path", POSTS)
def test_a_body_of_21_mb_is_refused_everywhere_with_the_limit(world: World, path: str) -> None:
    async def scenario(client: Client) -> None:
        data = b'{"prompt": "' + b"x" * 21_000_000 + b'"}'
        async with client.post(path, data=io.BytesIO(data)) as answer:
            assert answer.status == 413
            limit = "20,000,000" if path == "/prompt" else "4,000,000"
            assert limit in json.dumps((await answer.json())["error"])
        await is_well(client)

    world(scenario)


def test_the_error_of_a_prompt_has_the_shape_its_clients_read(world: World) -> None:
    async def scenario(client: Client) -> None:
        types = {
            b"": "invalid_request",
            b"[]": "invalid_request",
            b"{}": "no_prompt",
            b'{"client_id": "me"}': "no_prompt",
            b'{"prompt": 5}': "invalid_prompt",
            b'{"prompt": {}, "front": 2}': "invalid_request",
            b'{"prompt": {}, "prompt_id": 1}': "invalid_prompt_id",
            b'{"prompt": {}, "prompt_id": "1"}': "invalid_prompt_id",
            b'{"prompt": {}}': "prompt_no_outputs",
            b'{"prompt": {"1": {"class_type": "SaveImage"}}}': "prompt_outputs_failed_validation",
        }
        for data, type in types.items():
            async with client.post("/prompt", data=data) as answer:
                body = await answer.json()
            assert set(body) == {"error", "node_errors"}
            assert set(body["error"]) == {"type", "message", "details", "extra_info"}
            assert body["error"]["type"] == type, data
            assert body["error"]["message"]

    world(scenario)


def test_errors_of_very_many_nodes_are_answered_with_a_thousand(world: World) -> None:
    async def scenario(client: Client) -> None:
        nodes = {str(number): {"class_type": "PreviewImage", "inputs": {}} for number in range(20_000)}
        text = await refused(client, "/prompt", json.dumps({"prompt": nodes}).encode())
        assert len(json.loads(text)["node_errors"]) == 1000
        await is_well(client)

    world(scenario)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("max_items=ten", "max_items"),
        ("max_items=-1", "max_items"),
        ("max_items=1.5", "max_items"),
        ("max_items=1e3", "max_items"),
        ("max_items=%00", "max_items"),
        ("max_items=99999999999999999999", "max_items"),
        ("max_items=5&offset=x", "offset"),
        ("max_items=5&offset=-2", "offset"),
        ("offset=[]", "offset"),
    ],
)
def test_a_parameter_of_the_history_that_is_no_number_is_refused_by_name(world: World, query: str, named: str) -> None:
    async def scenario(client: Client) -> None:
        async with client.get(f"/history?{query}") as answer:
            assert answer.status == 400
            assert named in (await answer.json())["error"]

    world(scenario)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(world: World, method: str) -> None:
    async def scenario(client: Client) -> None:
        for path in (*POSTS, "/api/jobs", "/history/x"):
            async with client.request(method, path, data=b"{}") as answer:
                assert answer.status == 405
                assert "error" in await answer.json()

    world(scenario)


@pytest.mark.parametrize(
    ("path", "status"), [("/prompt", 400), ("/interrupt", 200), ("/queue", 400), ("/history", 400)]
)
def test_an_empty_body_that_says_it_is_packed_is_an_empty_body(world: World, path: str, status: int) -> None:
    async def scenario(client: Client) -> None:
        async with client.post(path, headers={"Content-Encoding": "gzip"}) as answer:
            assert answer.status == status, await answer.text()

    world(scenario)


def test_a_packed_form_is_refused_by_name(world: World) -> None:
    async def scenario(client: Client) -> None:
        form = gzip.compress(b"--x\r\n\r\n--x--")
        headers = {"Content-Encoding": "gzip", "Content-Type": "multipart/form-data; boundary=x"}
        async with client.post("/upload/image", data=form, headers=headers) as answer:
            assert answer.status == 415
            assert "Content-Encoding" in (await answer.json())["error"]

    world(scenario)


async def refused(client: Client, path: str, data: bytes) -> str:
    """What is answered, with 400 and as JSON with an error."""
    async with client.post(path, data=io.BytesIO(data)) as answer:  # aiohttp warns of large bytes
        text = await answer.text()
        assert answer.status == 400, f"{answer.status} {text[:500]}"
        assert answer.content_type == "application/json"
        body = json.loads(text, parse_constant=pytest.fail)
        assert body["error"]
        assert "Traceback" not in text
        return text


async def is_well(client: Client) -> None:
    """Nothing was accepted, and what is right still is."""
    jobs = client.app[keys.JOBS]
    accepted = jobs.remaining
    async with client.post("/prompt", json={"prompt": PROMPT}) as answer:
        assert answer.status == 200, await answer.text()
    assert jobs.remaining == accepted + 1
    async with client.post("/queue", json={"clear": True}) as answer:
        assert answer.status == 200
    assert accepted == 0
    assert jobs.remaining == 0
