"""API JSON becomes a Prompt, or one readable error naming node and input."""

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PromptError
from engine.graph.prompt import MAX_NESTING, BrokenLink, Link, Node, Prompt

GRAPH = {
    "4": {"class_type": "Load", "inputs": {"name": "a.safetensors"}, "_meta": {"title": "My model"}},
    "3": {"class_type": "KSampler", "inputs": {"model": ["4", 0], "seed": 7, "cfg": 8.0, "on": True, "text": "cat"}},
}
LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def node(**inputs: Any) -> dict[str, Any]:
    return {"1": {"class_type": "A", "inputs": inputs}}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"deeper": value}
    return value


def test_links_literals_and_titles_are_read() -> None:
    prompt = Prompt.from_json(GRAPH)
    assert list(prompt) == ["4", "3"]
    assert prompt["3"].inputs == {"model": Link("4", 0), "seed": 7, "cfg": 8.0, "on": True, "text": "cat"}
    assert prompt["4"].title == "My model"
    assert dict(prompt["3"].links()) == {"model": Link("4", 0)}
    assert "3" in prompt
    assert len(prompt) == 2


def test_a_prompt_is_written_as_it_was_read() -> None:
    assert Prompt.from_json(GRAPH).to_json() == GRAPH


def test_a_wrapped_list_is_a_value_and_a_bare_one_is_not() -> None:
    prompt = Prompt.from_json(node(value={"__value__": ["4", 0]}, broken=[1, 2, 3], numbers=[512, 512]))
    assert prompt["1"].inputs == {
        "value": ["4", 0],
        "broken": BrokenLink([1, 2, 3]),
        "numbers": BrokenLink([512, 512]),
    }
    again = prompt.to_json()["1"]["inputs"]
    assert again == {"value": {"__value__": ["4", 0]}, "broken": [1, 2, 3], "numbers": [512, 512]}


def test_a_value_that_looks_wrapped_survives_the_round_trip() -> None:
    prompt = Prompt.from_json(node(value={"__value__": {"__value__": 3}}))
    assert prompt["1"].inputs["value"] == {"__value__": 3}
    assert Prompt.from_json(prompt.to_json()) == prompt


def test_keys_that_mean_nothing_to_us_are_kept() -> None:
    source = {"1": {"class_type": "A", "inputs": {}, "color": "#fff", "_meta": {"title": "T", "note": 1}}}
    prompt = Prompt.from_json(source)
    assert prompt["1"].title == "T"
    assert prompt.to_json() == source


def test_is_changed_is_dropped_because_a_bare_nan_is_no_json() -> None:
    text = '{"1": {"class_type": "A", "inputs": {}, "is_changed": [NaN], "other": NaN}}'
    written = Prompt.from_text(text).to_json()
    assert json.dumps(written, allow_nan=False) == '{"1": {"inputs": {}, "class_type": "A"}}'


def test_a_node_without_class_is_left_to_validation() -> None:
    assert Prompt.from_json({"1": {"inputs": {}}})["1"] == Node("1", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON: .* line 1, column 2"),
        ("", "not JSON"),
        ("hello", "not JSON"),
        (b"\xff\xfe\xfa", "not JSON"),
        ("[" * 200_000, "nested too deeply"),
        ("[]", "object of nodes.*a list"),
        ("null", "object of nodes.*null"),
        ('"text"', "object of nodes.*a text"),
        ("3", "object of nodes.*a number"),
        ('{"1": 5}', "node '1': expected .*, got a number"),
        ('{"1": {"class_type": 5}}', "node '1': class_type.*a number"),
        ('{"1": {"class_type": "A", "inputs": []}}', "node '1': inputs.*a list"),
        ('{"nodes": [], "links": []}', "editor's format"),
        ('{"prompt": {"1": {}}, "client_id": "x"}', 'key "prompt"'),
        ('{"1": {"class_type": "A", "inputs": {"seed": ' + "9" * 5000 + "}}}", "number that is too long"),
    ],
)
def test_text_that_is_no_prompt_is_refused_with_the_reason(text: str | bytes, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        Prompt.from_text(text)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x" * 1_000_001, "node '1', input 'a': a text of 1,000,001 bytes"),
        ("é" * 500_001, "node '1', input 'a': a text of 1,000,002 bytes"),
        (10**2000, "node '1', input 'a': an integer of 6,644 bits"),
        (nested(MAX_NESTING + 1), "node '1', input 'a': nested too deeply; at most 500"),
        (object(), "node '1', input 'a': a object is no value JSON knows"),
        (["4" * 1_000_001, 0], "node '1', input 'a': a text"),
        (["4", 10**2000], "node '1', input 'a': an integer"),
    ],
)
def test_a_value_past_a_limit_is_refused_by_node_and_input(value: Any, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        Prompt.from_json(node(a=value))


def test_what_is_just_within_the_limits_is_read() -> None:
    values = {"text": "é" * 500_000, "deep": nested(MAX_NESTING - 1), "seed": 2**64 - 1, "emoji": "\ud83d"}
    assert Prompt.from_json(node(**values))["1"].inputs == values


def test_too_many_nodes_are_refused() -> None:
    with pytest.raises(PromptError, match="100,001 nodes; at most 100,000"):
        Prompt.from_json({str(index): {} for index in range(100_001)})


def test_a_hundred_thousand_nodes_are_read() -> None:
    source = {
        str(index): {"class_type": "Add", "inputs": {"a": [str(index - 1), 0], "b": index}} for index in range(100_000)
    }
    prompt = Prompt.from_json(source)
    assert len(prompt) == 100_000
    assert prompt["99999"].inputs == {"a": Link("99998", 0), "b": 99_999}


def test_an_input_is_replaced_in_a_copy() -> None:
    prompt = Prompt.from_json(GRAPH)
    assert prompt.with_input("3", "seed", 8)["3"].inputs["seed"] == 8
    assert prompt["3"].inputs["seed"] == 7
    with pytest.raises(PromptError, match="no node '99'; it has 4, 3"):
        prompt.with_input("99", "seed", 8)


@given(LITERALS)
def test_whatever_json_says_nothing_but_prompt_error_comes_out(source: Any) -> None:
    for candidate in (source, {"1": source}, {"1": {"class_type": "A", "inputs": source}}):
        with contextlib.suppress(PromptError):
            Prompt.from_json(candidate)


@given(st.dictionaries(st.text(max_size=5), LITERALS, max_size=4))
def test_reading_what_was_written_gives_the_same_prompt(inputs: dict[str, Any]) -> None:
    prompt = Prompt.from_json({"1": {"class_type": "A", "inputs": inputs}})
    assert repr(Prompt.from_json(prompt.to_json())) == repr(prompt)  # by text, because NaN is not equal to itself


def test_numbers_that_are_none_are_left_to_validation() -> None:
    prompt = Prompt.from_text('{"1": {"class_type": "A", "inputs": {"a": NaN, "b": Infinity}}}')
    assert math.isnan(prompt["1"].inputs["a"])
    assert prompt["1"].inputs["b"] == math.inf
