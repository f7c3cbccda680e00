import pytest

from engine.errors import TextError
from engine.text.emphasis import Span, spans


def test_nested_groups_multiply_and_a_number_replaces():
    assert spans("a (b (c) (d:0.5) (e (f):2))") == [
        Span("a "),
        Span("b ", 1.1),
        Span("c", 1.1 * 1.1),
        Span(" ", 1.1),
        Span("d", 0.5),
        Span(" ", 1.1),
        Span("e ", 2.0),
        Span("f", 2.0 * 1.1),
    ]


def test_square_brackets_mean_nothing():
    assert spans("[a] b") == [Span("[a] b")]


def test_a_backslash_makes_a_parenthesis_literal():
    assert spans(r"a \(b\) (c \(d\):1.5)") == [Span("a (b) "), Span("c (d)", 1.5)]


@pytest.mark.parametrize("prompt", ["(open", "((open", "close)", ")(", ")", "(", "a(b"])
def test_unbalanced_parentheses_are_text(prompt):
    assert "".join(span.text for span in spans(prompt)) == prompt
    assert {span.weight for span in spans(prompt)} == {1.0}


def test_empty_groups_leave_nothing():
    assert spans("() (( )) (:1.2)") == [Span(" "), Span(" ", 1.1 * 1.1), Span(" "), Span(":1.2", 1.1)]


@pytest.mark.parametrize("weight", ["nan", "inf", "-inf", "1e39", "1e999"])
def test_a_weight_that_is_no_usable_number_is_refused_with_the_word_named(weight):
    with pytest.raises(TextError, match="'cat'"):
        spans(f"a (cat:{weight}) on a mat")


def test_a_weight_that_grows_beyond_measure_is_refused():
    with pytest.raises(TextError, match="inf"):
        spans("(" * 10_000 + "cat" + ")" * 10_000)


def test_ten_thousand_unclosed_groups_are_text():
    assert spans("(" * 10_000 + "cat") == [Span("(" * 10_000 + "cat")]
