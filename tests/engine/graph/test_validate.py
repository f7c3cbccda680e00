"""All problems of a prompt at once, each with node, input, reason and remedy, in ComfyUI's shape."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PathError, PromptError
from engine.graph.builder import Builder
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.prompt import Link, Node, Prompt
from engine.graph.registry import Registry
from engine.graph.validate import Validation, validate


class Anything(str):
    """What plugin authors write for a socket that takes everything."""

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


LOAD = NodeType(
    "Load",
    inputs=(Input("name", "COMBO", choices=("a.safetensors", "b.safetensors")),),
    outputs=(Output("MODEL", "MODEL"), Output("CLIP", "CLIP")),
)
SAMPLE = NodeType(
    "Sample",
    inputs=(
        Input("model", "MODEL"),
        Input("seed", "INT", options={"default": 0, "min": 0, "max": 2**64 - 1}),
        Input("cfg", "FLOAT", options={"min": 0.0, "max": 100.0}),
        Input("text", "STRING"),
        Input("mask", "MASK", required=False),
    ),
    outputs=(Output("IMAGE", "IMAGE"),),
)
SAVE = NodeType("Save", inputs=(Input("images", "IMAGE"),), is_output=True)
ADD = NodeType(
    "Add",
    inputs=(Input("a", "INT,FLOAT", required=False), Input("b", "INT", required=False)),
    outputs=(Output("INT", "INT"),),
)
SHOW = NodeType("Show", inputs=(Input("value", Anything("*")),), is_output=True)
REGISTRY = Registry([LOAD, SAMPLE, SAVE, ADD, SHOW])


def graph(**sample: Any) -> dict[str, Any]:
    """A graph that is fine, but for what is given for the sampler's inputs; None takes one away."""
    inputs = {"model": ["1", 0], "seed": 1, "cfg": 8.0, "text": "cat", **sample}
    return {
        "1": {"class_type": "Load", "inputs": {"name": "a.safetensors"}},
        "2": {"class_type": "Sample", "inputs": {name: each for name, each in inputs.items() if each != "absent"}},
        "3": {"class_type": "Save", "inputs": {"images": ["2", 0]}},
    }


def check(source: dict[str, Any], targets: Sequence[str] | None = None, *types: NodeType) -> Validation:
    return validate(Prompt.from_json(source), Registry([*REGISTRY, *types]), targets)


def kinds(validation: Validation) -> list[tuple[str | None, str | None, str]]:
    return [(each.node, each.input, each.kind) for each in validation.problems]


def test_a_good_prompt_has_no_problems() -> None:
    validation = check(graph())
    assert validation.problems == ()
    assert validation.outputs == ("3",)
    assert validation.is_accepted
    assert validation.error() is None
    assert validation.node_errors() == {}
    assert validation.report() == ""
    assert validation.prompt == Prompt.from_json(graph())


def test_values_are_converted_in_the_prompt_that_runs() -> None:
    validation = check(graph(seed="7", cfg=3, text=5))
    assert validation.prompt["2"].inputs == {"model": Link("1", 0), "seed": 7, "cfg": 3.0, "text": "5"}
    assert type(validation.prompt["2"].inputs["cfg"]) is float


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("model", "absent", "required_input_missing"),
        ("seed", "absent", "required_input_missing"),
        ("model", [1, 2, 3], "bad_linked_input"),
        ("model", ["1"], "bad_linked_input"),
        ("model", [1, 0], "bad_linked_input"),
        ("model", ["1", "0"], "bad_linked_input"),
        ("model", ["1", True], "bad_linked_input"),
        ("model", 5, "bad_linked_input"),
        ("model", "a.safetensors", "bad_linked_input"),
        ("model", None, "bad_linked_input"),
        ("model", ["99", 0], "exception_during_validation"),
        ("model", ["1", 2], "exception_during_validation"),
        ("model", ["1", -1], "exception_during_validation"),
        ("model", ["1", 10**9], "exception_during_validation"),
        ("model", ["1", 1], "return_type_mismatch"),
        ("mask", ["1", 0], "return_type_mismatch"),
        ("seed", ["1", 0], "return_type_mismatch"),
        ("seed", "abc", "invalid_input_type"),
        ("seed", {"a": 1}, "invalid_input_type"),
        ("seed", math.nan, "invalid_input_type"),
        ("seed", math.inf, "invalid_input_type"),
        ("seed", -1, "value_smaller_than_min"),
        ("seed", 2**64, "value_bigger_than_max"),
        ("seed", 10**1000, "value_bigger_than_max"),
        ("cfg", math.nan, "invalid_input_type"),
        ("cfg", -math.inf, "invalid_input_type"),
        ("cfg", 10**1000, "invalid_input_type"),
        ("cfg", 100.5, "value_bigger_than_max"),
        ("text", "a\0b", "invalid_input_type"),
    ],
)
def test_a_wrong_input_is_named_with_node_reason_and_remedy(name: str, value: Any, kind: str) -> None:
    validation = check(graph(**{name: value}))
    assert kinds(validation) == [("2", name, kind)]
    assert validation.outputs == ()
    (problem,) = validation.problems
    assert problem.text().startswith(f"node 2 (Sample), input {name}: ")
    assert problem.remedy.endswith((".", "?"))
    assert len(problem.text()) < 1000
    errors = validation.node_errors()
    assert list(errors) == ["2"]
    assert errors["2"]["class_type"] == "Sample"
    assert errors["2"]["dependent_outputs"] == ["3"]
    (error,) = errors["2"]["errors"]
    assert error["type"] == kind
    assert error["extra_info"]["input_name"] == name
    json.dumps(errors, allow_nan=False)
    assert validation.error()["type"] == "prompt_outputs_failed_validation"


@pytest.mark.parametrize(
    "name", ["../a.safetensors", "/a.safetensors", "a.safetensors\0", "", "A.safetensors", None, ["x"]]
)
def test_a_file_name_has_to_be_in_the_list(name: Any) -> None:
    source = graph()
    source["1"]["inputs"]["name"] = {"__value__": name}
    assert kinds(check(source)) == [("1", "name", "value_not_in_list")]


def test_a_null_stands_for_an_optional_input_that_is_not_given() -> None:
    validation = check(graph(mask=None))
    assert validation.problems == ()
    assert validation.prompt["2"].inputs["mask"] is None


def test_inputs_nobody_declared_are_ignored() -> None:
    assert check(graph(other=["99", 0], more=math.nan)).problems == ()


def test_all_problems_are_found_at_once() -> None:
    source = graph(seed=-1, cfg="x", model=["1", 1])
    source["1"]["inputs"]["name"] = "c.safetensors"
    source["3"]["inputs"]["images"] = ["1", 0]
    source["4"] = {"class_type": "Save", "inputs": {"images": ["2", 0]}}
    validation = check(source)
    assert kinds(validation) == [
        ("1", "name", "value_not_in_list"),
        ("2", "model", "return_type_mismatch"),
        ("2", "seed", "value_smaller_than_min"),
        ("2", "cfg", "invalid_input_type"),
        ("3", "images", "return_type_mismatch"),
    ]
    errors = validation.node_errors()
    assert errors["1"]["dependent_outputs"] == ["3", "4"]
    assert errors["2"]["dependent_outputs"] == ["4"]
    assert errors["3"]["dependent_outputs"] == ["3"]
    assert len(validation.report().splitlines()) == 5


def test_the_top_error_speaks_of_the_output_nodes_own_faults() -> None:
    source = graph(seed=-1)
    source["3"]["inputs"] = {}
    error = check(source).error()
    assert error["details"] == "Required input is missing: images"
    assert check(graph(seed=-1)).error()["details"].startswith("node 2 (Sample), input seed: Value -1 smaller")


def test_one_good_output_is_enough_to_accept() -> None:
    source = graph(seed=-1)
    source["5"] = {"class_type": "Show", "inputs": {"value": ["1", 1]}}
    validation = check(source)
    assert validation.outputs == ("5",)
    assert validation.error() is None
    assert list(validation.node_errors()) == ["2"]


def test_a_broken_node_that_no_output_needs_is_ignored() -> None:
    source = graph()
    source["9"] = {"class_type": "Sample", "inputs": {"model": ["77", 3], "seed": "x"}}
    source["10"] = {"class_type": "Add", "inputs": {"a": ["10", 0]}}
    assert check(source).problems == ()


def test_an_unknown_class_anywhere_is_refused_with_near_misses() -> None:
    source = graph()
    source["9"] = {"class_type": "Sampel", "inputs": {}, "_meta": {"title": "Mine"}}
    validation = check(source)
    assert validation.outputs == ()
    assert validation.problems[0].remedy == "Did you mean Sample or Save?"
    error = validation.error()
    assert error["type"] == "missing_node_type"
    assert error["details"] == "Node ID '#9'"
    assert {name: error["extra_info"][name] for name in ("node_id", "class_type", "node_title")} == {
        "node_id": "9",
        "class_type": "Sampel",
        "node_title": "Mine",
    }
    assert validation.problems[0].text().startswith("node 9 (Sampel): Node 'Mine' not found.")


def test_unknown_classes_do_not_hide_the_other_problems() -> None:
    source = graph(seed=-1, model=["9", 0])
    source["9"] = {"class_type": "Sampel"}
    source["10"] = {"inputs": {}}
    assert kinds(check(source)) == [
        ("9", None, "missing_node_type"),
        ("10", None, "missing_node_type"),
        ("2", "seed", "value_smaller_than_min"),
    ]


def test_a_graph_that_shows_nothing_is_refused() -> None:
    for source in ({}, {"1": graph()["1"]}):
        validation = check(source)
        assert kinds(validation) == [(None, None, "prompt_no_outputs")]
        assert validation.error()["message"] == "Prompt has no outputs"
        assert validation.node_errors() == {}
        assert validation.problems[0].text().startswith("Prompt has no outputs")


def test_only_the_targets_and_what_they_need_are_looked_at() -> None:
    source = graph(seed=-1)
    source["5"] = {"class_type": "Show", "inputs": {"value": ["1", 1]}}
    source["6"] = {"class_type": "Show", "inputs": {"value": ["1", 0]}}
    validation = check(source, ["6", "2", "404"])
    assert (validation.outputs, validation.problems) == (("6",), ())
    assert "404" in check(source, ["404"]).problems[0].text()
    assert kinds(check(source, [])) == [(None, None, "prompt_no_outputs")]


def test_a_self_link_is_a_cycle_of_one() -> None:
    source = {
        "1": {"class_type": "Add", "inputs": {"a": ["1", 0]}},
        "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
    }
    validation = check(source)
    assert validation.outputs == ()
    (problem,) = validation.problems
    assert (problem.node, problem.kind, problem.details) == ("1", "dependency_cycle", "1 (Add) -> 1")
    assert problem.extra_info == {"node_id": "1", "cycle_nodes": ["1"], "input_name": "a"}
    assert problem.input == "a"
    assert validation.node_errors()["1"]["dependent_outputs"] == ["2"]


def test_every_knot_is_named_with_its_nodes_and_spoils_only_what_needs_it() -> None:
    source = {
        "a": {"class_type": "Add", "inputs": {"a": ["c", 0]}},
        "b": {"class_type": "Add", "inputs": {"a": ["a", 0]}},
        "c": {"class_type": "Add", "inputs": {"a": ["b", 0], "b": ["free", 0]}},
        "d": {"class_type": "Add", "inputs": {"a": ["e", 0], "b": ["c", 0]}},
        "e": {"class_type": "Add", "inputs": {"a": ["d", 0]}},
        "free": {"class_type": "Add", "inputs": {"a": 1}},
        "bad": {"class_type": "Show", "inputs": {"value": ["e", 0]}},
        "good": {"class_type": "Show", "inputs": {"value": ["free", 0]}},
    }
    validation = check(source)
    assert [each.details for each in validation.problems] == [
        "a (Add) -> b (Add) -> c (Add) -> a",
        "d (Add) -> e (Add) -> d",
    ]
    assert validation.outputs == ("good",)
    assert validation.node_errors()["a"]["dependent_outputs"] == ["bad"]


def test_an_authors_socket_for_anything_takes_anything() -> None:
    source = graph()
    source["5"] = {"class_type": "Show", "inputs": {"value": ["1", 1]}}
    source["6"] = {"class_type": "Show", "inputs": {"value": "a literal"}}
    assert check(source).problems == ()


def test_widgets_a_plugin_brings_along_hold_literals_of_their_own() -> None:
    curve = NodeType("Curve", inputs=(Input("c", "MY_CURVE"),), is_output=True, python_module="custom_nodes.curve")
    colour = NodeType("Colour", inputs=(Input("c", "COLOR"), Input("n", "INT,FLOAT")), is_output=True)
    source = {
        "1": {"class_type": "Curve", "inputs": {"c": {"points": [1, 2]}}},
        "2": {"class_type": "Colour", "inputs": {"c": "#ff0000", "n": 3}},
    }
    assert check(source, None, curve, colour).problems == ()


def test_choices_that_cannot_be_listed_are_a_problem_and_no_crash() -> None:
    def broken() -> Sequence[str]:
        raise PathError("models/vae is not readable")

    loader = NodeType("Loader", inputs=(Input("name", "COMBO", choices=broken),), is_output=True)
    validation = check({"1": {"class_type": "Loader", "inputs": {"name": "a"}}}, None, loader)
    assert kinds(validation) == [("1", "name", "exception_during_validation")]
    assert "models/vae is not readable" in validation.report()


def chain(length: int, first: Any = 1) -> dict[str, Any]:
    nodes = {"0": {"class_type": "Add", "inputs": {"a": first}}}
    for index in range(1, length - 1):
        nodes[str(index)] = {"class_type": "Add", "inputs": {"a": [str(index - 1), 0], "b": index}}
    nodes["end"] = {"class_type": "Show", "inputs": {"value": [str(length - 2), 0]}}
    return nodes


def test_a_chain_of_a_hundred_thousand_nodes_is_valid() -> None:
    prompt = Prompt.from_json(chain(100_000))
    validation = validate(prompt, REGISTRY)
    assert (validation.outputs, validation.problems) == (("end",), ())


def test_a_ring_of_a_hundred_thousand_nodes_is_one_problem() -> None:
    validation = check(chain(100_000, ["99998", 0]))
    (problem,) = validation.problems
    assert problem.kind == "dependency_cycle"
    assert problem.node == "0"
    assert "99979 more" in problem.details
    assert len(problem.text()) < 1000


def test_a_hundred_thousand_broken_nodes_are_all_answered() -> None:
    builder = Builder()
    for _ in range(50_000):
        builder.node("Save", images=builder.node("Sample", seed=-1, cfg=1.0, text="x"))
    validation = validate(builder.prompt(), REGISTRY)
    assert len(validation.problems) == 100_000
    assert len(validation.node_errors()) == 50_000
    assert validation.report().endswith("more")


def test_only_the_first_of_many_misspelled_files_are_searched_for() -> None:
    names = tuple(f"folder/model {index:05}.safetensors" for index in range(5000))
    loader = NodeType("Loader", inputs=(Input("name", "COMBO", choices=names),), is_output=True)
    builder = Builder()
    for index in range(2000):
        builder.node("Loader", name=f"models {index:05}.safetensor")
    validation = validate(builder.prompt(), Registry([loader]))
    assert len(validation.problems) == 2000
    assert validation.problems[0].remedy.startswith("Did you mean folder/model")
    assert validation.problems[-1].remedy.startswith("Choose one of folder/model 00000.safetensors, ")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just(10**30),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["__value__", "x"]), inner, max_size=1),
    max_leaves=3,
)
IDS = st.sampled_from(["1", "2", "3", ""])
LINKS = st.tuples(IDS, st.integers(-1, 2)).map(list)
NODES = st.builds(
    lambda kind, inputs: {"class_type": kind, "inputs": inputs},
    st.sampled_from(["Load", "Sample", "Save", "Add", "Show", "Other"]),
    st.dictionaries(
        st.sampled_from(["name", "model", "seed", "cfg", "text", "mask", "images", "a", "b", "value"]), LINKS | VALUES
    ),
)


@given(st.dictionaries(IDS, NODES, max_size=4), st.none() | st.lists(IDS, max_size=2))
def test_any_prompt_gets_an_answer_that_strict_json_can_hold(source: dict[str, Any], targets: list[str] | None) -> None:
    try:
        prompt = Prompt.from_json(source)
    except PromptError:
        return
    validation = validate(prompt, REGISTRY, targets)
    assert validation.is_accepted == (validation.error() is None)
    assert validation.is_accepted or validation.problems
    json.dumps([validation.error(), validation.node_errors()], allow_nan=False)
    for problem in validation.problems:
        assert problem.text()
        assert problem.remedy
        assert problem.node is None or problem.node in source
    # What was accepted is stable: checking the converted prompt again changes nothing more.
    again = validate(validation.prompt, REGISTRY, targets)
    assert again.outputs == validation.outputs
    assert repr(again.prompt) == repr(validation.prompt)


def test_an_accepted_output_has_nothing_wrong_above_it() -> None:
    prompt = Prompt.of([Node("1", "Show", {"value": Link("2", 0)}), Node("2", "Add", {"a": Link("3", 0)})])
    assert validate(prompt, REGISTRY).outputs == ()
