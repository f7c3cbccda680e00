import pytest

from engine.errors import NodeTypeError
from engine.graph.lists import as_result, calls, merge, merge_ui
from engine.graph.nodetype import Blocked, NodeType, Output, Result

ONE = NodeType("One", outputs=(Output("INT", "INT"),))
TWO = NodeType("Two", outputs=(Output("a", "INT"), Output("b", "INT")))
SHOW = NodeType("Show", is_output=True)
MANY = Output("many", "INT", is_list=True)


def test_a_node_without_inputs_is_called_once():
    assert calls({}, False) == [{}]


def test_the_longest_list_counts_and_the_last_item_of_shorter_ones_repeats():
    made = calls({"a": [1, 2, 3], "b": [10, 20], "c": [0]}, False)
    assert made == [{"a": 1, "b": 10, "c": 0}, {"a": 2, "b": 20, "c": 0}, {"a": 3, "b": 20, "c": 0}]


def test_an_empty_list_means_no_call_at_all():
    assert calls({"a": [], "b": [1, 2]}, False) == []
    assert merge([], [Output("INT", "INT"), MANY]) == ([], [])


def test_a_node_that_takes_lists_is_called_once_with_lists_of_its_own():
    inputs = {"a": [1, 2], "b": []}
    (made,) = calls(inputs, True)
    assert made == {"a": [1, 2], "b": []}
    made["a"].append(3)
    assert inputs["a"] == [1, 2]


def test_a_blocked_value_takes_the_place_of_its_call():
    made = calls({"a": [1, Blocked("no"), 3], "b": [0, 0, Blocked()]}, False)
    assert made == [{"a": 1, "b": 0}, Blocked("no"), Blocked()]
    assert calls({"a": [1, Blocked()], "b": [Blocked("why")]}, True) == [Blocked("why")]


def test_items_of_list_outputs_are_put_in_a_row_and_others_collected():
    assert merge([(1, [1, 2]), (2, (3,)), (3, [])], [Output("x", "INT"), MANY]) == ([1, 2, 3], [1, 2, 3])


def test_a_blocked_list_output_is_one_blocked_item():
    assert merge([(Blocked(),), ([1],)], [MANY]) == ([Blocked(), 1],)


def test_a_list_output_that_is_no_list_is_refused_by_name():
    with pytest.raises(NodeTypeError, match="many"):
        merge([(5,)], [MANY])


def test_what_a_function_returns_is_understood():
    assert as_result(7, ONE).values == (7,)
    assert as_result((7,), ONE).values == (7,)
    assert as_result([7], ONE).values == ([7],)
    assert as_result({"samples": 1}, ONE).values == ({"samples": 1},)
    assert as_result(None, ONE).values == (None,)
    assert as_result((1, 2), TWO).values == (1, 2)
    assert as_result(Blocked("x"), TWO).values == (Blocked("x"), Blocked("x"))
    assert as_result(None, SHOW).values == ()
    assert as_result(Result(ui={"text": ["x"]}), SHOW).ui == {"text": ["x"]}


def test_missing_values_are_refused_with_the_outputs_named():
    with pytest.raises(NodeTypeError, match=r"1 value.*2 output.*a, b"):
        as_result((1,), TWO)


def test_what_calls_show_is_joined_by_key():
    assert merge_ui([None, {"images": [1]}, {"images": (2,), "text": ["x"]}]) == {"images": [1, 2], "text": ["x"]}
    assert merge_ui([None, None]) is None
