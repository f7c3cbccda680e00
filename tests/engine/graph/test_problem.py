"""What a problem says, and what of a value it shows."""

import math
from typing import Any

import pytest

from engine.graph.problem import Problem, received, short


def test_a_problem_reads_as_where_what_and_what_to_do() -> None:
    message = "Value 0 smaller than min of 1"
    problem = Problem("3", "KSampler", "steps", "value_smaller_than_min", message, "steps", "Give 1.")
    assert problem.text() == "node 3 (KSampler), input steps: Value 0 smaller than min of 1. Give 1."
    assert problem.to_json() == {
        "type": "value_smaller_than_min",
        "message": "Value 0 smaller than min of 1",
        "details": "steps",
        "extra_info": {"remedy": "Give 1."},
    }


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ("cfg, -inf, too small", "-inf, too small"),
        ("cfg: -1", "-1"),
        ("cfg - refused", "refused"),
        ("cfgs are many", "cfgs are many"),
    ],
)
def test_the_inputs_name_is_said_once_and_a_sign_stays(details: str, said: str) -> None:
    text = Problem("3", "KSampler", "cfg", "k", "Wrong", details, "Give 1.").text()
    assert text == f"node 3 (KSampler), input cfg: Wrong: {said}. Give 1."


def test_a_node_without_class_is_still_placed() -> None:
    assert Problem("3", "", None, "k", "It is wrong.", "Node ID '#3'", "Mend it.").text() == (
        "node 3 (no class): It is wrong. Mend it."
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("cat", "cat"),
        ("café 猫", "café 猫"),
        (None, "None"),
        ("a\0b\nc", "a\\x00b\\nc"),
        ("x" * 1000, "x" * 200 + "…"),
        ("\ud83d", "\\ud83d"),
    ],
)
def test_values_are_shown_short_and_printable(value: Any, shown: str) -> None:
    assert short(value) == shown


def test_a_received_value_is_itself_where_json_can_hold_it() -> None:
    assert received({"a": [1, None]}) == {"a": [1, None]}
    assert received(math.nan) == "nan"
    assert received([math.inf]) == "[inf]"
    assert received("x" * 10_000) == "x" * 200 + "…"
    assert received(object).startswith("<class")
