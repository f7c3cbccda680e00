"""Prompts that are damaged at random: answered with 200 or 400 as JSON, a 400 says where, and the server goes on."""

import asyncio
import copy
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.client import Client
from tests.server.quiet import PROMPT, quiet

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**30, 2**5000])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "3", "euler", "KSampler", "../x", "\0", "\ud800", "NaN", "1e999", "__class__"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        | st.fixed_dictionaries({"__value__": inner})
    ),
    max_leaves=8,
)
LINKS = st.tuples(st.sampled_from([*PROMPT, "77", ""]), st.integers(-2, 5) | st.just(10**20)).map(list)
CLASSES = st.sampled_from(
    ["KSampler", "SaveImage", "VAEDecode", "LoadImage", "PreviewImage", "KSamplerAdvanced", "", "x"]
)


FIELDS = [
    "client_id",
    "prompt_id",
    "number",
    "front",
    "extra_data",
    "partial_execution_targets",
    "clear",
    "delete",
    "unload_models",
    "free_memory",
    "job_ids",
]
ORDERS = ["/queue", "/history", "/interrupt", "/free", "/api/jobs/cancel"]


def nest(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A prompt that was right before a few things happened to it."""
    graph = copy.deepcopy(PROMPT)
    for _ in range(draw(st.integers(1, 4))):
        if not graph:
            break
        node = draw(st.sampled_from(sorted(graph)))
        draw(st.sampled_from(DAMAGES))(draw, graph, node)
    return graph


def drop_node(draw: st.DrawFn, graph: dict[str, Any], node: str) -> None:
    del graph[node]


def replace_node(draw: st.DrawFn, graph: dict[str, Any], node: str) -> None:
    graph[node] = draw(VALUES)


def rename_node(draw: st.DrawFn, graph: dict[str, Any], node: str) -> None:
    graph[draw(st.text(max_size=5) | st.sampled_from(["", "\ud800", "3", "77"]))] = graph.pop(node)


def change_class(draw: st.DrawFn, graph: dict[str, Any], node: str) -> None:
    if isinstance(graph[node], dict):
        graph[node]["class_type"] = draw(CLASSES | VALUES)


def change_key(draw: st.DrawFn, graph: dict[str, Any], node: str) -> None:
    if isinstance(graph[node], dict):
        graph[node][draw(st.sampled_from(["inputs", "_meta", "is_changed", "x"]))] = draw(VALUES)


def change_input(draw: st.DrawFn, graph: dict[str, Any], node: str) -> None:
    inputs = graph[node].get("inputs") if isinstance(graph[node], dict) else None
    if isinstance(inputs, dict) and inputs:
        name = draw(st.sampled_from(sorted(inputs)))
        kind = draw(st.sampled_from(["retype", "relink", "drop", "rename", "nest"]))
        if kind == "retype":
            inputs[name] = draw(VALUES)
        elif kind == "relink":
            inputs[name] = draw(LINKS)
        elif kind == "nest":
            inputs[name] = nest(inputs[name], draw(st.sampled_from([1, 2, 450, 501])))
        else:
            value = inputs.pop(name)
            if kind == "rename":
                inputs[draw(st.text(max_size=5))] = value


DAMAGES: list[Callable[[st.DrawFn, dict[str, Any], str], None]] = [
    drop_node,
    replace_node,
    rename_node,
    change_class,
    change_key,
    *[change_input] * 6,
]

Ask = Callable[[str, bytes], tuple[int, Any]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """ask(path, body) is the status and the JSON that one server answers, the same for all examples."""
    with asyncio.Runner() as runner:
        server = quiet(tmp_path_factory.mktemp("server"))
        client = runner.run(server.__aenter__())
        yield lambda path, data: runner.run(answered(client, path, data))
        runner.run(server.__aexit__(None, None, None))


async def answered(client: Client, path: str, data: bytes) -> tuple[int, Any]:
    async with client.post(path, data=io.BytesIO(data)) as answer:
        body = await answer.text()
    async with client.get("/prompt") as next_answer:
        assert next_answer.status == 200
    return answer.status, json.loads(body, parse_constant=pytest.fail) if body else None


def names_a_place(body: Any, graph: Any) -> None:
    """A refusal blames nodes, or says where in the body, or that the prompt as a whole has nothing to run."""
    error = body["error"]
    blamed = set(body["node_errors"])
    assert blamed <= set(graph)
    if error["type"] == "missing_node_type":
        assert error["extra_info"]["node_id"] in graph
    elif error["type"] == "prompt_outputs_failed_validation":
        assert blamed
        for node in body["node_errors"].values():
            assert node["errors"]
            for each in node["errors"]:
                assert each["type"]
                assert each["message"]
                assert each["details"] or each["extra_info"]
    elif error["type"] == "invalid_prompt":
        assert "node " in error["message"] or "this is" in error["message"]
    elif error["type"] == "invalid_request":
        assert "prompt" in error["message"] or "JSON" in error["message"]
    else:
        assert error["type"] in ("prompt_no_outputs", "dependency_cycle")


every_example = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@every_example
@given(graph=damaged())
def test_a_damaged_prompt_is_accepted_or_refused_with_the_place(ask: Ask, graph: Any) -> None:
    status, body = ask("/prompt", json.dumps({"prompt": graph}).encode())
    if status == 200:
        assert set(body) >= {"prompt_id", "number", "node_errors"}
    else:
        assert status == 400, body
        names_a_place(body, graph)


@every_example
@given(graph=damaged(), extra=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4))
def test_a_request_with_any_fields_is_accepted_or_refused(ask: Ask, graph: Any, extra: dict[str, Any]) -> None:
    status, body = ask("/prompt", json.dumps({"prompt": graph, **extra}).encode())
    assert status in (200, 400, 409), body
    assert body["error"] if status != 200 else body["prompt_id"]


@every_example
@given(path=st.sampled_from(ORDERS), sent=VALUES | st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4))
def test_any_order_is_obeyed_or_refused(ask: Ask, path: str, sent: Any) -> None:
    status, body = ask(path, json.dumps(sent).encode())
    assert status in (200, 400), body
    assert status == 200 or body["error"]


@every_example
@given(path=st.sampled_from([*ORDERS, "/prompt"]), data=st.binary(max_size=60), start=st.integers(0, 400))
def test_any_bytes_are_refused(ask: Ask, path: str, data: bytes, start: int) -> None:
    whole = json.dumps({"prompt": PROMPT}).encode()
    status, body = ask(path, data + whole[start:])
    assert status in (200, 400), body
    assert status == 200 or body["error"]
