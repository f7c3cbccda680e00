"""A typed-in value becomes its input's type, or is refused with what would be right."""

import math
from typing import Any

import pytest

from engine.graph.literals import convert, no_choice, not_in_list, out_of_range
from engine.graph.nodetype import Input

STEPS = Input("steps", "INT", options={"min": 1, "max": 100})
COUNT = Input("count", "INT")
CFG = Input("cfg", "FLOAT", options={"min": 0.0, "max": 100.0})
TEXT = Input("text", "STRING")
SWITCH = Input("switch", "BOOLEAN")
SAMPLER = Input("sampler", "COMBO", choices=("euler", "heun"))


@pytest.mark.parametrize(
    ("each", "value", "converted"),
    [
        (STEPS, 7, 7),
        (STEPS, "7", 7),
        (STEPS, 7.9, 7),
        (STEPS, True, 1),
        (STEPS, 2**70, 2**70),  # its range says it better
        (COUNT, -(2**63), -(2**63)),
        (COUNT, 2**64 - 1, 2**64 - 1),
        (CFG, 7, 7.0),
        (CFG, "7.5", 7.5),
        (TEXT, "cat", "cat"),
        (TEXT, 7, "7"),
        (TEXT, 7.5, "7.5"),
        (TEXT, True, "True"),  # ComfyUI: as Python has it
        (TEXT, "\U0001f600", "\U0001f600"),
        (SWITCH, 1, True),
        (SWITCH, "", False),
        (SWITCH, "false", True),  # ComfyUI: as Python has it
        (SAMPLER, "anything", "anything"),
        (Input("model", "MODEL"), {"a": 1}, {"a": 1}),
    ],
)
def test_values_become_the_type_of_their_input(each: Input, value: Any, converted: Any) -> None:
    after, flaw = convert(each, value)
    assert flaw is None
    assert after == converted
    assert type(after) is type(converted)


@pytest.mark.parametrize(
    ("each", "value", "said", "remedy"),
    [
        (STEPS, "many", "invalid literal", "Give a number from 1 to 100."),
        (STEPS, None, "null", "Give a number from 1 to 100."),
        (STEPS, [1], "list", "Give a number from 1 to 100."),
        (STEPS, math.nan, "NaN", "Give a number from 1 to 100."),
        (STEPS, math.inf, "infinity", "Give a number from 1 to 100."),
        (STEPS, "9" * 5000, "limit", "Give a number from 1 to 100."),
        (COUNT, 2**64, "64 bits", "Give a whole number."),
        (COUNT, -(2**63) - 1, "64 bits", "Give a whole number."),
        (CFG, math.nan, "not a finite number", "Give a number from 0.0 to 100.0."),
        (CFG, -math.inf, "not a finite number", "Give a number from 0.0 to 100.0."),
        (CFG, "nan", "not a finite number", "Give a number from 0.0 to 100.0."),
        (CFG, 10**400, "too large", "Give a number from 0.0 to 100.0."),
        (TEXT, None, "null", "Give a text."),
        (TEXT, "a\0b", "NUL", "Remove that character."),
        (TEXT, "a\ud800b", "surrogate", "Remove that character."),
        (TEXT, {"a": 1}, "an object is no text", "Give a text."),
        (TEXT, ["a"], "a list is no text", "Give a text."),
        (TEXT, math.nan, "nan, it is not a finite number", "Give a text."),
        (TEXT, -math.inf, "-inf, it is not a finite number", "Give a text."),
        (SWITCH, None, "null", "Give true or false."),
    ],
)
def test_values_that_cannot_be_turned_are_refused(each: Input, value: Any, said: str, remedy: str) -> None:
    after, flaw = convert(each, value)
    assert after is value
    assert flaw is not None
    assert flaw.kind == "invalid_input_type"
    assert said in flaw.details
    assert flaw.details.startswith(f"{each.name}, ")
    assert flaw.remedy == remedy
    assert flaw.extra_info["input_name"] == each.name


@pytest.mark.parametrize(
    ("each", "value", "kind", "message"),
    [
        (STEPS, 0, "value_smaller_than_min", "Value 0 smaller than min of 1"),
        (STEPS, 101, "value_bigger_than_max", "Value 101 bigger than max of 100"),
        (STEPS, 2**70, "value_bigger_than_max", f"Value {2**70} bigger than max of 100"),
        (CFG, -0.1, "value_smaller_than_min", "Value -0.1 smaller than min of 0.0"),
    ],
)
def test_numbers_outside_their_range_are_refused(each: Input, value: Any, kind: str, message: str) -> None:
    flaw = out_of_range(each, value)
    assert flaw is not None
    assert (flaw.kind, flaw.message, flaw.details) == (kind, message, each.name)
    assert flaw.extra_info["input_config"] == [each.type, dict(each.options)]


@pytest.mark.parametrize(("each", "value"), [(STEPS, 1), (STEPS, 100), (CFG, 0.0), (COUNT, 10**9), (TEXT, "a")])
def test_numbers_within_their_range_are_fine(each: Input, value: Any) -> None:
    assert out_of_range(each, value) is None


def test_a_choice_has_to_be_one_of_the_list() -> None:
    assert not_in_list(SAMPLER, "heun", ("euler", "heun")) is None
    flaw = not_in_list(SAMPLER, "huen", ("euler", "heun"))
    assert flaw is not None
    assert flaw.kind == "value_not_in_list"
    assert flaw.details == "sampler: 'huen' not in ['euler', 'heun']"
    assert flaw.remedy == "Did you mean heun?"
    assert flaw.extra_info == {
        "input_name": "sampler",
        "input_config": [["euler", "heun"], {}],
        "received_value": "huen",
    }


def test_long_lists_are_counted_and_not_repeated() -> None:
    flaw = not_in_list(SAMPLER, "zzz", [f"model {index}" for index in range(21)])
    assert flaw is not None
    assert flaw.details == "sampler: 'zzz' not in (list of length 21)"
    assert flaw.extra_info["input_config"] is None


@pytest.mark.parametrize("value", ["../a.safetensors", "/etc/passwd", "a\0.safetensors", ["a"], {"a": 1}, None, 3])
def test_nothing_but_a_listed_file_is_accepted(value: Any) -> None:
    flaw = not_in_list(SAMPLER, value, ("a.safetensors",))
    assert flaw is not None
    assert flaw.kind == "value_not_in_list"
    assert "\0" not in flaw.details


def test_the_same_file_in_another_folder_is_suggested_first() -> None:
    names = ("sd15.ckpt", "v1\\sd15.safetensors", "sd15.safetensor")
    flaw = not_in_list(SAMPLER, "SD1.5/sd15.safetensors", names)
    assert flaw is not None
    assert flaw.remedy == "Did you mean v1\\sd15.safetensors?"


def test_an_empty_list_says_where_choices_come_from() -> None:
    flaw = not_in_list(SAMPLER, "a", ())
    assert flaw is not None
    assert "folder" in flaw.remedy


@pytest.mark.parametrize("value", [None, {}, ["a"], math.nan])
def test_what_can_be_no_choice_is_refused_before_an_author_sees_it(value: Any) -> None:
    flaw = no_choice(SAMPLER, value)
    assert flaw is not None
    assert flaw.kind == "invalid_input_type"
    assert flaw.remedy == "Give one of its choices."


@pytest.mark.parametrize("value", ["unlisted", 3, 1.5, True])
def test_what_might_be_a_choice_is_left_to_the_author(value: Any) -> None:
    assert no_choice(SAMPLER, value) is None


@pytest.mark.parametrize("option", ["multiselect", "multi_select", "remote"])
def test_lists_that_clients_fill_are_not_checked(option: str) -> None:
    assert not_in_list(Input("x", "COMBO", options={option: {"a": 1}}), ["p", "q"], ()) is None
