"""Inputs a node type takes without declaring them, hidden ones of an author's own, and what the API cannot know."""

import json
from typing import Any

from engine.graph.author_checks import asked_elsewhere, may_ask
from engine.graph.describe import describe, read, snapshot
from engine.graph.marks import Remembered
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.sockets import ANYTHING
from engine.graph.validate import validate
from tests.engine.graph.arithmetic import INT, api, executor_of, of_kind, run, wire

ADD = NodeType("Plus", lambda a=0: a + 1, (Input("a", "INT", required=False),), INT)


def take(**inputs: Any) -> str:
    return json.dumps(inputs, sort_keys=True)


def taker(**options: Any) -> NodeType:
    return NodeType(
        "Take",
        take,
        (Input("first", "INT", required=False),),
        (Output("STRING", "STRING"),),
        others=Input("", ANYTHING, required=False, options=options),
        check_lazy=lambda **inputs: ["b"],
        hidden={"mine": "AN_AUTHORS_OWN"},
    )


def through_json(node_type: NodeType) -> NodeType:
    return read(json.loads(json.dumps(snapshot(node_type))))


def test_undeclared_inputs_reach_a_node_that_takes_them():
    graph = api(n1=("Take", {"first": 1, "a": 2, "b": wire("2")}), n2=("Plus", {"a": 5}))
    outcome, _ = run(executor_of(taker(), ADD), graph, targets=["1"])
    assert json.loads(outcome.check().values["1"][0][0]) == {"a": 2, "b": 6, "first": 1}
    outcome, _ = run(executor_of(taker(rawLink=True), ADD), graph, targets=["1"])
    assert json.loads(outcome.check().values["1"][0][0]) == {"a": 2, "b": ["2", 0], "first": 1}


def test_undeclared_inputs_may_be_lazy():
    from engine.graph.events import Executed

    graph = api(n1=("Take", {"b": wire("2"), "c": wire("3")}), n2=("Plus", {"a": 5}), n3=("Plus", {"a": 6}))
    outcome, events = run(executor_of(taker(lazy=True), ADD), graph, targets=["1"])
    assert json.loads(outcome.check().values["1"][0][0]) == {"b": 6, "c": None}
    assert [each.node for each in of_kind(events, Executed)] == ["2", "1"]


def test_a_hidden_input_of_an_unknown_kind_is_what_the_prompt_gives_or_nothing():
    only = NodeType("Own", take, (), (Output("S", "S"),), hidden={"mine": "AN_AUTHORS_OWN"})
    outcome, _ = run(executor_of(only), api(n1=("Own", {}), n2=("Own", {"mine": 3, "other": 4})), targets=["1", "2"])
    values = outcome.check().values
    assert (values["1"][0], values["2"][0]) == (["{}"], ['{"mine": 3}'])


def test_the_api_knows_which_node_types_take_any_input():
    shown = NodeType("Show", inputs=(), is_output=True, others=Input("", ANYTHING, required=False))
    for show in (shown, through_json(shown)):
        registry = Registry([show, ADD])
        fine = validate(api(n1=("Show", {"x": wire("2"), "y": {"z": 1}}), n2=("Plus", {"a": "7"})), registry)
        assert fine.problems == ()
        assert fine.prompt["2"].inputs == {"a": 7}  # what hangs on an undeclared input is needed, and looked at
        wrong = validate(api(n1=("Show", {"x": wire("9"), "y": [1]})), registry)
        assert [each.input for each in wrong.problems] == ["x", "y"]


def test_an_entry_keeps_the_spelling_of_its_author():
    spelled = NodeType(
        "Spelled",
        inputs=(
            Input("a", "IMAGE", spelling="bare"),
            Input("b", "COMBO", choices=("x",), spelling="bare"),
            Input("c", "COMBO", choices=("x", 2), options={"default": 2}, spelling="combo"),
            Input("d", "COMBO", choices=("x",)),
        ),
        shown={"search_aliases": ["s"]},
    )
    entry = describe(spelled)
    assert entry["search_aliases"] == ["s"]
    assert entry["input"]["required"] == {
        "a": ["IMAGE"],
        "b": [["x"]],
        "c": ["COMBO", {"options": ["x", 2], "default": 2}],
        "d": [["x"], {}],
    }
    assert describe(through_json(spelled)) == entry


def test_what_an_author_may_list_meanwhile_is_asked_about():
    moving = NodeType("Moving", inputs=(Input("c", "COMBO", choices=lambda: ["x"]),), is_output=True)
    known = through_json(moving)
    assert isinstance(known.inputs[0].choices, Remembered)
    assert isinstance(through_json(known).inputs[0].choices, Remembered)
    registry = Registry([known])
    for choice, asked in (("x", ()), ("y", ("1",))):
        prompt = api(n1=("Moving", {"c": choice}))
        assert validate(prompt, registry).is_accepted
        assert asked_elsewhere(prompt, registry, {"1"}) == asked
    outcome, _ = run(executor_of(moving), api(n1=("Moving", {"c": "y"})), unvalidated=("1",))
    assert outcome.failure is not None
    assert "Value not in list: c: 'y' not in ['x']" in outcome.failure.message


def test_a_check_that_takes_nothing_is_known_to_be_there():
    checked = NodeType("Checked", is_output=True, validate=lambda: "never", validate_inputs=())
    plain = NodeType("Plain", is_output=True)
    assert may_ask(through_json(checked))
    assert may_ask(through_json(through_json(checked)))
    assert not may_ask(through_json(plain))
    registry = Registry([through_json(checked), through_json(plain)])
    prompt = Prompt.from_json({"1": {"class_type": "Checked"}, "2": {"class_type": "Plain"}})
    assert asked_elsewhere(prompt, registry, {"1", "2"}) == ("1",)
