"""An author's own check of a node's inputs (VALIDATE_INPUTS)."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import PathError
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.validate import Validation, validate

SOURCE = NodeType("Source", outputs=(Output("FLOAT", "FLOAT"),))
INPUTS = (
    Input("image", "COMBO", choices=("listed.png",)),
    Input("size", "INT", options={"min": 10}),
    Input("scale", "INT", required=False),
)


def check(hook: Callable[..., Any], names: tuple[str, ...] | None, inputs: dict[str, Any], **more: Any) -> Validation:
    node_type = NodeType("Checked", inputs=INPUTS, is_output=True, validate=hook, validate_inputs=names, **more)
    source = {
        "1": {"class_type": "Checked", "inputs": {"image": "listed.png", "size": 20, **inputs}},
        "2": {"class_type": "Source"},
    }
    return validate(Prompt.from_json(source), Registry([node_type, SOURCE]))


def test_an_input_the_author_checks_is_not_held_against_list_or_range() -> None:
    def hook(**inputs: Any) -> bool:
        return True

    assert check(hook, ("image", "size"), {"image": "sub/other.png", "size": 1}).outputs == ("1",)
    only_image = check(hook, ("image",), {"image": "sub/other.png", "size": 1})
    assert [each.kind for each in only_image.problems] == ["value_smaller_than_min"]


@pytest.mark.parametrize(("answer", "details"), [("no such picture", "image - no such picture"), (False, "image")])
def test_a_refusal_is_a_problem_of_the_input(answer: str | bool, details: str) -> None:
    validation = check(lambda image: answer, ("image",), {})
    (problem,) = validation.problems
    assert (problem.node, problem.input, problem.kind) == ("1", "image", "custom_validation_failed")
    assert problem.details == details
    assert validation.node_errors()["1"]["errors"][0]["extra_info"]["input_name"] == "image"


def test_our_own_errors_are_refusals_and_others_are_faults() -> None:
    def ours(image: str) -> bool:
        raise PathError("outside the input folder")

    def fault(image: str) -> bool:
        return 1 / 0 == 1

    assert check(ours, ("image",), {}).problems[0].details == "image - outside the input folder"
    (problem,) = check(fault, ("image",), {}).problems
    assert (problem.kind, problem.details) == ("exception_during_validation", "division by zero")
    assert problem.input == "image"
    assert problem.extra_info["exception_type"] == "ZeroDivisionError"


def test_links_come_as_none_and_values_converted() -> None:
    seen: dict[str, Any] = {}

    def hook(**inputs: Any) -> bool:
        seen.update(inputs)
        return True

    check(hook, None, {"size": "30", "scale": ["2", 0], "input_types": 1}, hidden={"me": "UNIQUE_ID"})
    assert seen == {}  # FLOAT into INT is known to be wrong, so the author is not asked
    check(hook, None, {"size": "30"}, hidden={"me": "UNIQUE_ID"})
    assert seen == {"image": "listed.png", "size": 30, "me": "1"}


def test_an_author_who_takes_the_types_of_links_compares_them_alone() -> None:
    seen: dict[str, Any] = {}

    def hook(scale: Any, input_types: dict[str, str]) -> bool:
        seen.update(scale=scale, input_types=input_types)
        return True

    assert check(hook, ("scale", "input_types"), {"scale": ["2", 0]}).outputs == ("1",)
    assert seen == {"scale": None, "input_types": {"scale": "FLOAT"}}


def test_a_node_that_takes_lists_is_checked_with_lists() -> None:
    seen: list[Any] = []
    check(lambda size: bool(seen.append(size)) or True, ("size",), {}, input_is_list=True)
    assert seen == [[20]]


def test_a_check_may_be_a_coroutine() -> None:
    async def hook(image: str) -> str:
        return f"{image} is gone"

    assert check(hook, ("image",), {}).problems[0].details == "image - listed.png is gone"


def test_a_check_is_not_asked_about_what_is_known_to_be_wrong() -> None:
    def hook(size: int) -> bool:
        raise AssertionError("asked")

    validation = check(hook, ("size",), {"size": "x"})
    assert [each.kind for each in validation.problems] == ["invalid_input_type"]


def test_without_the_authors_code_what_it_would_check_is_left_alone() -> None:
    described = NodeType("Checked", inputs=INPUTS, is_output=True, validate_inputs=("image",))
    source = {"1": {"class_type": "Checked", "inputs": {"image": "sub/other.png", "size": 20}}}
    assert validate(Prompt.from_json(source), Registry([described])).outputs == ("1",)
