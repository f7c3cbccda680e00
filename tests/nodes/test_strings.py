"""Texts put together, taken apart, compared and shown."""

import re
import sys
import warnings
from typing import Any

import pytest
import torch

from engine.errors import TextError
from nodes import strings

FLAGS = {"case_insensitive": False, "multiline": False, "dotall": False}


def test_texts_are_joined_cut_and_counted() -> None:
    assert strings.string_concatenate(string_a="a", string_b="b", delimiter=", ") == "a, b"
    assert strings.string_substring(string="apple", start=1, end=-1) == "ppl"
    assert strings.string_substring(string="apple", start=9, end=2) == ""
    assert strings.string_length(string="ä\n😀").length == 3
    assert strings.string_replace(string="a.b.c", find=".", replace="") == "abc"
    assert strings.string_trim(string=" \n a b\t", mode="Left") == "a b\t"
    assert strings.string_trim(string=" \n a b\t", mode="Both") == "a b"


@pytest.mark.parametrize(
    ("mode", "made"),
    [("UPPERCASE", "A RED FOX"), ("lowercase", "a red fox"), ("Capitalize", "A red fox"), ("Title Case", "A Red Fox")],
)
def test_letters_are_made_large_or_small(mode: Any, made: str) -> None:
    assert strings.case_converter(string="a rED fox", mode=mode) == made


def test_texts_are_compared_with_or_without_regard_to_large_letters() -> None:
    given = {"string_a": "Red fox", "string_b": "red"}
    assert not strings.string_compare(**given, mode="Starts With", case_sensitive=True)
    assert strings.string_compare(**given, mode="Starts With", case_sensitive=False)
    assert strings.string_compare(string_a="a fox", string_b="fox", mode="Ends With")
    assert not strings.string_compare(string_a="a fox", string_b="fox", mode="Equal")
    assert strings.string_contains(string="Red fox", substring="FOX", case_sensitive=False).contains
    assert not strings.string_contains(string="Red fox", substring="FOX").contains


@pytest.mark.parametrize(
    ("mode", "group", "found"),
    [
        ("First Match", 1, "seed=7"),
        ("All Matches", 1, "seed=7\nsteps=20"),
        ("First Group", 2, "7"),
        ("All Groups", 2, "7\n20"),
        ("All Groups", 0, "seed=7\nsteps=20"),
        ("First Group", 3, ""),
    ],
)
def test_a_pattern_takes_out_of_a_text_what_it_finds(mode: Any, group: int, found: str) -> None:
    pattern = r"(\w+)=(\d+)"
    given = {"string": "seed=7, steps=20", "regex_pattern": pattern, "mode": mode, "group_index": group}
    assert strings.regex_extract(**given, **FLAGS) == found
    assert strings.regex_extract(**{**given, "string": "nothing"}, **FLAGS) == ""


def test_flags_say_how_a_pattern_is_read() -> None:
    text = "one\nTWO"
    assert not strings.regex_match(string=text, regex_pattern="^two", **FLAGS).matches
    assert strings.regex_match(string=text, regex_pattern="^two", case_insensitive=True, multiline=True).matches
    assert not strings.regex_match(string=text, regex_pattern="e.T", **FLAGS).matches
    assert strings.regex_match(string=text, regex_pattern="e.T", **{**FLAGS, "dotall": True}).matches


def test_what_a_pattern_finds_is_replaced_as_often_as_asked() -> None:
    given = {"string": "a1 b2 c3", "regex_pattern": r"([a-z])(\d)", "replace": r"\2\1"}
    assert strings.regex_replace(**given) == "1a 2b 3c"
    assert strings.regex_replace(**given, count=2) == "1a 2b c3"


def test_a_pattern_that_is_none_is_named_with_the_input_that_gave_it() -> None:
    with pytest.raises(TextError, match=r"regex_pattern: .* got '\(a'.*unterminated") as told:
        strings.regex_match(string="a", regex_pattern="(a")
    assert told.value.input == "regex_pattern"
    with pytest.raises(TextError, match=r"replace: .*invalid group reference 3") as told:
        strings.regex_replace(string="a", regex_pattern="a", replace=r"\3")
    assert told.value.input == "replace"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a text", "a text"),
        (7, "7"),
        (True, "True"),
        (None, "None"),
        ({"ä": [1, 2]}, '{"ä": [1, 2]}'),
        (torch.tensor([1.0]), "tensor([1.])"),
    ],
)
def test_any_value_is_shown_as_text(value: Any, shown: str) -> None:
    assert strings.preview_any(source=value).ui == {"text": (shown,)}


@pytest.mark.parametrize(
    ("pattern", "replace", "became"),
    [
        ("[[a]", "-", "-b-"),
        ("[a&&b]", "-", "--["),
        pytest.param(
            "(a)",
            r"\g<+1>\g<+1>",
            "aab[",
            marks=pytest.mark.skipif(sys.version_info >= (3, 12), reason="an error there"),
        ),
    ],
)
def test_a_pattern_that_python_warns_of_is_used_as_it_is(pattern: str, replace: str, became: str) -> None:
    re.purge()
    with warnings.catch_warnings(action="error"):
        assert strings.regex_match(string="ab[", regex_pattern=pattern).matches
        assert strings.regex_replace(string="ab[", regex_pattern=pattern, replace=replace) == became
        with pytest.raises(TextError, match=r"regex_pattern: .* got '\[a--b\]'.*bad character range"):
            strings.regex_extract(string="ab", regex_pattern="[a--b]", mode="First Match", group_index=0, **FLAGS)
