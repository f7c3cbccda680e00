"""Fields as lenient clients send them."""

import pytest

from server.requests import fields
from server.requests.fields import BadField


@pytest.mark.parametrize(
    ("sent", "number"),
    [(5, 5.0), (1.5, 1.5), ("5", 5.0), ("-1.5", -1.5), (" +2 ", 2.0), ("1e3", 1000.0), (".5", 0.5), ("5.", 5.0)],
)
def test_a_number_may_come_as_a_text(sent, number):
    assert fields.number({"n": sent}, "n") == number


@pytest.mark.parametrize(
    "sent",
    [
        "",
        " ",
        "five",
        "nan",
        "inf",
        "-Infinity",
        "1e999",
        "0x10",
        "1_000",
        "٣",
        "1,5",
        pytest.param("9" * 1001, id="long"),
        True,
        [1],
        {},
    ],
)
def test_what_is_no_number_is_refused_by_name(sent):
    with pytest.raises(BadField, match="n: expected a number, got"):
        fields.number({"n": sent}, "n")


@pytest.mark.parametrize(("sent", "text"), [("me", "me"), (5, "5"), (0, "0"), (-1.5, "-1.5"), (None, None), ("", "")])
def test_a_client_may_be_a_number(sent, text):
    assert fields.text_or_number({"c": sent}, "c") == text


@pytest.mark.parametrize(
    "sent", [True, False, [], {}, float("nan"), float("inf"), pytest.param(10**2000, id="long"), "a\0b"]
)
def test_what_names_no_client_is_refused(sent):
    with pytest.raises(BadField, match="c: expected a text"):
        fields.text_or_number({"c": sent}, "c")


@pytest.mark.parametrize(("sent", "flag"), [(True, True), (1, True), (False, False), (0, False), (None, False)])
def test_one_and_nought_are_true_and_false(sent, flag):
    assert fields.flag({"f": sent}, "f") is flag


@pytest.mark.parametrize("sent", [2, -1, 1.0, 0.5, "1", "true", "", [], [1], {}])
def test_what_is_neither_true_nor_false_is_refused(sent):
    with pytest.raises(BadField, match="f: expected true or false, got"):
        fields.flag({"f": sent}, "f")
