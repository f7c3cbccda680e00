from typing import Any

import pytest

from engine.graph.describe import describe, object_info, read, snapshot
from engine.graph.dynamic import AUTOGROW, DYNAMIC_COMBO, MATCH, possible, settle
from engine.graph.executor import Executor
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.sockets import ANYTHING, accepts, is_anything
from engine.graph.validate import validate

NUMBER = {"input": {"required": {"value": ["INT", {"default": 1}]}}}
VALUES = Input("values", AUTOGROW, options={"template": {**NUMBER, "names": ["a", "b", "c"], "min": 1}})
ITEMS = Input("items", AUTOGROW, options={"template": {**NUMBER, "prefix": "item", "min": 0, "max": 3}})
RESIZE = Input(
    "resize",
    DYNAMIC_COMBO,
    options={
        "options": [
            {"key": "by", "inputs": {"required": {"factor": ["FLOAT", {"min": 0.5}]}}},
            {
                "key": "to",
                "inputs": {
                    "required": {"width": ["INT", {"min": 1}]},
                    "optional": {"mode": [["fast", "nice"], {}]},
                },
            },
            {"key": "many", "inputs": {"required": {"sizes": [AUTOGROW, dict(VALUES.options)]}}},
            {"key": "no", "inputs": {}},
        ]
    },
)


def shown(**given: Any) -> dict[str, Any]:
    return given


def of(*inputs: Input, **more: Any) -> NodeType:
    def show(**given: Any) -> Any:
        return repr(sorted(given.items()))

    return NodeType("Group", show, inputs, (Output("STRING", "STRING"),), is_output=True, **more)


NUMBERS = NodeType("Number", lambda: 7, outputs=(Output("INT", "INT"),))
TEXTS = NodeType("Text", lambda: "t", outputs=(Output("STRING", "STRING"),))


def check(node_type: NodeType, **given: Any) -> dict[str, list[str]]:
    """The kinds of problems by input, as a process without the code finds them."""
    known = Registry([read(snapshot(each)) for each in (node_type, NUMBERS, TEXTS)])
    nodes = {"1": {"class_type": "Group", "inputs": given}}
    nodes |= {"n": {"class_type": "Number", "inputs": {}}, "t": {"class_type": "Text", "inputs": {}}}
    prompt = Prompt.from_json(nodes)
    here = validate(prompt, Registry([node_type, NUMBERS, TEXTS]))
    there = validate(prompt, known)
    assert here.node_errors() == there.node_errors()
    return {str(each.input): [each.kind] for each in here.problems}


def run(node_type: NodeType, **given: Any) -> str:
    nodes = {"1": {"class_type": "Group", "inputs": given}, "n": {"class_type": "Number", "inputs": {}}}
    types = {each.id: each for each in (node_type, NUMBERS)}
    outcome = Executor(types).execute(Prompt.from_json(nodes)).check()
    return str(outcome.values["1"][0][0])


def test_a_group_grows_by_the_members_the_prompt_gives() -> None:
    settled, flaws = settle(of(VALUES), {"values.c": 3})
    assert not flaws
    assert [(each.name, each.type, each.required) for each in settled.inputs] == [
        ("values.a", "INT", True),
        ("values.c", "INT", False),
    ]


def test_a_prefix_counts_from_nought() -> None:
    assert [*possible([ITEMS])] == ["items.item0", "items.item1", "items.item2"]


def test_members_are_checked_as_any_input_is() -> None:
    assert check(of(VALUES)) == {"values.a": ["required_input_missing"]}
    assert check(of(VALUES), **{"values.a": 1, "values.b": "x"}) == {"values.b": ["invalid_input_type"]}
    assert check(of(VALUES), **{"values.a": ["t", 0]}) == {"values.a": ["return_type_mismatch"]}
    assert check(of(VALUES), **{"values.a": ["n", 0], "values.b": 2}) == {}


def test_a_member_nobody_declared_is_named() -> None:
    assert check(of(ITEMS), **{"items.item3": 1}) == {"items.item3": ["invalid_dynamic_input"]}


def test_members_reach_the_function_and_those_undeclared_do_not() -> None:
    assert run(of(VALUES), **{"values.a": 1, "values.c": ["n", 0], "other": 9}) == "[('values.a', 1), ('values.c', 7)]"


def test_a_choice_brings_its_own_inputs() -> None:
    assert check(of(RESIZE), resize="by") == {"resize.factor": ["required_input_missing"]}
    assert check(of(RESIZE), **{"resize": "by", "resize.factor": 0.1}) == {"resize.factor": ["value_smaller_than_min"]}
    assert check(of(RESIZE), **{"resize": "to", "resize.width": 3, "resize.mode": "x"}) == {
        "resize.mode": ["value_not_in_list"]
    }
    assert check(of(RESIZE), resize="no") == {}
    # What another choice left behind is like any input that nobody declared.
    assert run(of(RESIZE), **{"resize": "by", "resize.factor": 2.0, "resize.width": 3}) == (
        "[('resize', 'by'), ('resize.factor', 2.0)]"
    )


def test_a_choice_may_bring_a_group() -> None:
    assert check(of(RESIZE), resize="many") == {"resize.sizes.a": ["required_input_missing"]}
    assert check(of(RESIZE), **{"resize": "many", "resize.sizes.a": 1, "resize.sizes.z": 1}) == {
        "resize.sizes.z": ["invalid_dynamic_input"]
    }
    assert run(of(RESIZE), **{"resize": "many", "resize.sizes.a": 1}) == "[('resize', 'many'), ('resize.sizes.a', 1)]"


@pytest.mark.parametrize("value", ["other", 3, ["n", 0], None])
def test_what_is_no_choice_is_refused_by_name(value: Any) -> None:
    assert check(of(RESIZE), resize=value) == {"resize": ["invalid_dynamic_input"]}


def test_a_choice_that_is_missing_is_asked_for() -> None:
    assert check(of(RESIZE)) == {"resize": ["required_input_missing"]}


def test_a_matching_input_takes_the_types_its_template_allows() -> None:
    def like(allowed: str) -> NodeType:
        return of(Input("x", MATCH, options={"template": {"template_id": "T", "allowed_types": allowed}}))

    assert check(like("INT,FLOAT"), x=["n", 0]) == {}
    assert check(like("INT,FLOAT"), x=["t", 0]) == {"x": ["return_type_mismatch"]}
    assert check(like("*"), x=["t", 0]) == {}


def test_what_takes_anything_still_does_where_the_code_is_not() -> None:
    class Mine(str):
        def __ne__(self, other: object) -> bool:
            return False

    node_type = of(Input("x", ANYTHING), Input("y", Mine("*")))
    assert check(node_type, x=["n", 0], y=["t", 0]) == {}
    again = read(snapshot(NodeType("Out", outputs=(Output("any", Mine("*")), Output("int", "INT")))))
    assert [is_anything(each.type) for each in again.outputs] == [True, False]
    assert accepts("IMAGE", again.outputs[0].type)
    assert not is_anything("*")


def test_an_entry_of_the_authors_own_survives_the_way_to_another_process() -> None:
    entry = {"name": "Group", "input": {"hidden": {"unique_id": ["UNIQUE_ID"]}}, "search_aliases": ("a", "b")}
    node_type = of(VALUES, entry=lambda: entry)
    wanted = {**entry, "search_aliases": ["a", "b"]}
    assert describe(node_type) == wanted
    assert object_info([read(snapshot(node_type))]) == {"Group": wanted}
    assert read(snapshot(node_type)).inputs == node_type.inputs
