"""Every input of every node with everything that it may not be: refused by node and input; what is right still runs."""

import asyncio
import io
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server import keys
from tests.server.client import Client, Serve, ended, runs
from tests.server.quiet import PROMPT, prompt, quiet

World = Callable[[Callable[[Client], Awaitable[None]]], None]

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "http_api.md").read_text()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Runs a scenario against the one server of this file."""

    async def run(scenario: Callable[[Client], Awaitable[None]], client: Client) -> None:
        await scenario(client)

    with asyncio.Runner() as runner:
        server = quiet(tmp_path_factory.mktemp("server"))
        client = runner.run(server.__aenter__())
        yield lambda scenario: runner.run(run(scenario, client))
        runner.run(server.__aexit__(None, None, None))


# ------------------------------------------------------------------------------------ every field of every wrong type

LINKED: dict[str, Any] = {
    "null": None,
    "a number": 5,
    "a fraction": 1.5,
    "a text": "x",
    "true": True,
    "an object": {"a": 1},
    "an empty object": {},
    "a wrapped list": {"__value__": ["4", 0]},
    "nothing": [],
    "one part": ["4"],
    "three parts": ["4", 0, 0],
    "a node that is a number": [4, 0],
    "a node that is null": [None, 0],
    "a node that is a list": [["4", 0], 0],
    "a node that is an object": [{"id": "4"}, 0],
    "a slot that is a text": ["4", "0"],
    "a slot that is a fraction": ["4", 0.0],
    "a slot that is null": ["4", None],
    "a slot that is true": ["4", True],
    "a slot that is a list": ["4", [0]],
    "a node without a name": ["", 0],
    "a node that is not there": ["77", 0],
    "a node that is nearly there": [" 4", 0],
    "a slot beyond the last": ["4", 3],
    "a slot before the first": ["4", -1],
    "an enormous slot": ["4", 10**40],
}
ANY: dict[str, Any] = {"an object": {"a": 1}, "a list": [1, 2, 3], "a deep list": [[[[1]]]]}
NUMBERS: dict[str, Any] = {
    **ANY,
    "null": None,
    "a word": "many",
    "nothing": "",
    "two numbers": "1 2",
    "a NaN": "nan",
    "an infinity": "-inf",
    "a wrapped list": {"__value__": [1]},
    "far too much": 10**30,
    "far too little": -(10**30),
    "5,000 bits": 2**5000,
    "half a character": "\ud800",
}
TEXTS: dict[str, Any] = {**ANY, "null": None, "a NUL": "a\0b", "half a character": "\udfff", "much": "x" * 1_000_001}
CHOICES: dict[str, Any] = {
    **ANY,
    "null": None,
    "a number": 5,
    "true": True,
    "nothing": "",
    "another": "nobody",
    "a right one that is wrapped": {"__value__": ["euler"]},
    "a way out": "../../secret",
    "half a character": "\ud800",
}
WIDGETS = {
    "seed": NUMBERS,
    "steps": NUMBERS,
    "cfg": NUMBERS,
    "denoise": NUMBERS,
    "width": NUMBERS,
    "height": NUMBERS,
    "batch_size": NUMBERS,
    "text": TEXTS,
    "filename_prefix": TEXTS,
    "sampler_name": CHOICES,
    "scheduler": CHOICES,
    "ckpt_name": CHOICES,
}


def wrong() -> Iterator[Any]:
    for node, entry in PROMPT.items():
        for name, value in entry["inputs"].items():
            other = {"an output of another type": ["4", 2 if name == "model" else 0]}
            kinds = {**LINKED, **other} if isinstance(value, list) else WIDGETS[name]
            for kind, given in kinds.items():
                yield pytest.param(node, name, given, id=f"{entry['class_type']} {node} {name}: {kind}")


@pytest.mark.parametrize(("node", "name", "given"), [*wrong()])
def test_what_an_input_may_not_be_is_refused_with_its_node_and_name(
    world: World, node: str, name: str, given: Any
) -> None:
    async def scenario(client: Client) -> None:
        body = await refused(client, prompt(**{f"_{node}": {name: given}}))
        type = body["error"]["type"]
        if type == "prompt_outputs_failed_validation":
            assert set(body["node_errors"]) == {node}
            told = body["node_errors"][node]
            assert told["class_type"] == PROMPT[node]["class_type"]
            assert told["dependent_outputs"] == ["9"]
            errors = [each for each in told["errors"] if _names(each, name)]
            assert errors, told
            for each in errors:
                assert f"`{each['type']}`" in DOCUMENT
                assert set(each) == {"type", "message", "details", "extra_info"}
        else:  # what no prompt may hold at all, wherever it stands
            assert type in ("invalid_prompt", "invalid_request")
            assert re.search(rf"node '{node}'|prompt\.{node}\.", body["error"]["message"]), body
            assert name in body["error"]["message"]

    world(scenario)


def _names(error: dict[str, Any], name: str) -> bool:
    return error["extra_info"].get("input_name") == name or name in error["details"]


@pytest.mark.parametrize(("node", "name"), [(node, name) for node in PROMPT for name in PROMPT[node]["inputs"]])
def test_an_input_that_is_missing_or_misspelled_is_named(world: World, node: str, name: str) -> None:
    async def scenario(client: Client) -> None:
        for other in (None, name.upper(), f"{name} ", "__proto__"):
            sent = prompt()
            value = sent[node]["inputs"].pop(name)
            if other is not None:
                sent[node]["inputs"][other] = value
            body = await refused(client, sent)
            (error,) = body["node_errors"][node]["errors"]
            assert (error["type"], error["details"]) == ("required_input_missing", name)

    world(scenario)


def test_all_that_is_wrong_is_said_at_once(world: World) -> None:
    async def scenario(client: Client) -> None:
        sent = prompt(_3={"steps": 0, "cfg": "x", "model": ["4", 1]}, _5={"width": -1}, _6={"text": None})
        body = await refused(client, sent)
        found = {
            (node, each["details"].split(",")[0])
            for node, told in body["node_errors"].items()
            for each in told["errors"]
        }
        assert found >= {("3", "steps"), ("3", "cfg"), ("3", "model"), ("5", "width"), ("6", "text")}

    world(scenario)


# ------------------------------------------------------------------------------------- what is broken beside the rest

LOOSE: dict[str, Any] = {
    "without inputs": {"class_type": "KSampler", "inputs": {}},
    "with rubbish": {"class_type": "KSampler", "inputs": {"steps": [[]], "model": {"a": [None]}, "seed": "x", "": 0}},
    "with links to nowhere": {"class_type": "VAEDecode", "inputs": {"samples": ["no", 0], "vae": ["one", 9]}},
    "with a link to itself": {"class_type": "VAEDecode", "inputs": {"samples": ["77", 0], "vae": ["4", 2]}},
    "with inputs nobody knows": {"class_type": "VAELoader", "inputs": {f"x{each}": each for each in range(5000)}},
    "with more keys": {"class_type": "VAELoader", "inputs": {}, "__class__": 1, "is_changed": [None], "_meta": None},
}


@pytest.mark.parametrize("name", LOOSE)
def test_a_broken_node_that_nothing_needs_keeps_nothing_from_running(world: World, name: str) -> None:
    async def scenario(client: Client) -> None:
        status, body = await answered(client, {**PROMPT, "77": LOOSE[name]})
        assert (status, body["node_errors"]) == (200, {}), body
        job = await client.app[keys.JOBS].get(body["prompt_id"])
        assert job is not None
        assert list(job.outputs) == ["9"]

    world(scenario)


def test_a_circle_that_nothing_needs_keeps_nothing_from_running(world: World) -> None:
    async def scenario(client: Client) -> None:
        status, body = await answered(client, {**PROMPT, **_upscalers(50, first=["u49", 0])})
        assert (status, body["node_errors"]) == (200, {}), body

    world(scenario)


BROKEN_OUTPUTS: dict[str, tuple[Any, str, str]] = {
    "without its picture": ({}, "77", "images"),
    "with a value for a picture": ({"images": 5}, "77", "images"),
    "with a link to nowhere": ({"images": ["no", 0]}, "77", "images"),
    "with a link of another type": ({"images": ["4", 0]}, "77", "images"),
    "with a link to a broken node": ({"images": ["78", 0]}, "78", "vae"),
}


@pytest.mark.parametrize("name", BROKEN_OUTPUTS)
def test_a_broken_output_is_named_and_the_others_run(world: World, name: str) -> None:
    inputs, blamed, input = BROKEN_OUTPUTS[name]
    more = {
        "77": {"class_type": "PreviewImage", "inputs": inputs},
        "78": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0]}},
    }

    async def scenario(client: Client) -> None:
        status, body = await answered(client, {**PROMPT, **more})
        assert status == 200, body
        told = body["node_errors"][blamed]
        assert told["dependent_outputs"] == ["77"]
        assert any(_names(each, input) for each in told["errors"])
        job = await client.app[keys.JOBS].get(body["prompt_id"])
        assert job is not None
        assert list(job.outputs) == ["9"]

    world(scenario)


@runs
async def test_the_valid_output_of_a_half_broken_prompt_is_made(serve: Serve) -> None:
    sent = {
        "1": {"class_type": "ToyConstant", "inputs": {"value": 2}},
        "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
        "3": {"class_type": "ToyShow", "inputs": {}},
        "4": {"class_type": "ToyShow", "inputs": {"value": ["5", 0]}},
        "5": {"class_type": "ToyAdd", "inputs": {"a": ["1", 9], "b": "x"}},
        "6": {"class_type": "ToyAdd", "inputs": {"a": ["6", 0], "b": {}}},
    }
    async with serve() as client:
        status, body = await answered(client, sent)
        assert status == 200, body
        assert set(body["node_errors"]) == {"3", "5"}
        entry = await ended(client, body["prompt_id"])
        assert entry["status"]["status_str"] == "success"
        assert entry["outputs"] == {"2": {"text": ["2"]}}


# ---------------------------------------------------------------------------------------------------- deep and wide

DEEP = 20_000


def _upscalers(length: int, first: Any) -> dict[str, Any]:
    """A chain u0, u1, … whose first one takes `first`."""
    return {
        f"u{each}": {
            "class_type": "LatentUpscaleBy",
            "inputs": {
                "samples": first if each == 0 else [f"u{each - 1}", 0],
                "upscale_method": "area",
                "scale_by": 1.0,
            },
        }
        for each in range(length)
    }


@pytest.mark.parametrize(
    ("first", "type", "named"),
    [
        (["5", 0], None, ""),
        (["nobody", 0], "prompt_outputs_failed_validation", "u0"),
        (7, "prompt_outputs_failed_validation", "u0"),
        ([f"u{DEEP - 1}", 0], "dependency_cycle", f"u{DEEP - 1}"),
        (["u0", 0], "dependency_cycle", "u0"),
    ],
)
def test_a_chain_of_20_000_nodes_is_as_good_as_a_short_one(
    world: World, first: Any, type: str | None, named: str
) -> None:
    sent = {**prompt(_3={"latent_image": [f"u{DEEP - 1}", 0]}), **_upscalers(DEEP, first)}

    async def scenario(client: Client) -> None:
        if type is None:
            status, body = await answered(client, sent)
            assert (status, body["node_errors"]) == (200, {})
            return
        body = await refused(client, sent)
        assert named in json.dumps(body["node_errors"]) or named in json.dumps(body["error"])
        assert type in (
            body["error"]["type"],
            *(each["type"] for told in body["node_errors"].values() for each in told["errors"]),
        )
        assert "samples" in json.dumps(body)

    world(scenario)


@runs
async def test_a_chain_of_3_000_nodes_runs(serve: Serve) -> None:
    sent: dict[str, Any] = {"n0": {"class_type": "ToyConstant", "inputs": {"value": 0}}}
    sent |= {
        f"n{each}": {"class_type": "ToyAdd", "inputs": {"a": [f"n{each - 1}", 0], "b": 1}} for each in range(1, 3000)
    }
    sent["show"] = {"class_type": "ToyShow", "inputs": {"value": ["n2999", 0]}}
    async with serve() as client:
        status, body = await answered(client, sent)
        assert status == 200
        assert (await ended(client, body["prompt_id"]))["outputs"]["show"] == {"text": ["2999"]}


# ------------------------------------------------------------------------------------------------------ ids and numbers


@pytest.mark.parametrize(
    "id", ["", " 9", "09", "９", "9.0", "-1", "constructor", "x" * 300, "a b", "9:9", "../9", "🙂"]
)
def test_an_id_is_a_name_and_no_number(world: World, id: str) -> None:
    async def scenario(client: Client) -> None:
        broken = {"class_type": "PreviewImage", "inputs": {}}
        status, body = await answered(client, {**PROMPT, id: broken})
        assert status == 200, body
        assert set(body["node_errors"]) == {id}

    world(scenario)


TWICE = [
    b'{"prompt": {"9": {"class_type": "SaveImage"}, "9": {"class_type": "KSampler"}}}',
    b'{"prompt": {"9": {"class_type": "SaveImage", "class_type": "KSampler"}}}',
    b'{"prompt": {"9": {"class_type": "SaveImage", "inputs": {"images": 1, "images": 2}}}}',
    rb'{"prompt": {"9": {"class_type": "SaveImage"}, "\u0039": {"class_type": "KSampler"}}}',
]


@pytest.mark.parametrize("data", TWICE)
def test_what_is_there_twice_is_refused_by_name(world: World, data: bytes) -> None:
    async def scenario(client: Client) -> None:
        async with client.post("/prompt", data=data) as answer:
            body = await answer.json()
        assert answer.status == 400
        assert re.search("'(9|class_type|images)'", body["error"]["message"]), body

    world(scenario)


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x10", b"01", b".5", b"+1", b"nan"])
def test_what_is_no_number_of_json_is_refused(world: World, word: bytes) -> None:
    data = json.dumps({"prompt": prompt(_3={"cfg": "HERE"})}).encode().replace(b'"HERE"', word)

    async def scenario(client: Client) -> None:
        async with client.post("/prompt", data=data) as answer:
            body = await answer.json()
        assert answer.status == 400, body
        if word == b"1e999":
            assert "cfg" in json.dumps(body)
        else:
            assert "JSON" in body["error"]["message"], body

    world(scenario)


async def answered(client: Client, sent: Any) -> tuple[int, Any]:
    data = io.BytesIO(json.dumps({"prompt": sent}).encode())  # aiohttp warns of large bytes
    async with client.post("/prompt", data=data) as answer:
        return answer.status, await answer.json()


async def refused(client: Client, sent: Any) -> Any:
    """What is answered, in the documented shape; nothing was accepted, and the server goes on."""
    before = client.app[keys.JOBS].remaining
    status, body = await answered(client, sent)
    assert status == 400, body
    assert set(body) == {"error", "node_errors"}
    assert set(body["error"]) == {"type", "message", "details", "extra_info"}
    assert f"`{body['error']['type']}`" in DOCUMENT
    assert client.app[keys.JOBS].remaining == before
    async with client.get("/prompt") as answer:
        assert answer.status == 200
    return body
