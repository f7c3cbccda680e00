"""Inputs that are asked for, values that are lists, and answers that block what hangs on them."""

from engine.graph.events import Cached, Executing, Failed
from engine.graph.nodetype import Blocked, NodeType, Output
from engine.graph.run import Run
from tests.engine.graph.arithmetic import INT, SHOW, World, api, executor_of, inputs, integer, of_kind, run, text, wire

# Lazy inputs


def test_only_the_lazy_input_that_is_asked_for_is_computed():
    world = World()
    prompt = api(
        n1=("Switch", {"cond": 1, "x": wire("2"), "y": wire("3")}), n2=("Add", {"a": 5}), n3=("Both", {}), show=SHOW
    )
    outcome, events = run(executor_of(world=world), prompt)
    assert text(outcome) == ["5"]
    assert world.calls == ["Add", "Switch", "Show"]
    assert events[1] == Cached(())


def test_check_lazy_is_asked_again_until_it_wants_nothing_new():
    asked = []

    def needs(a=None, b=None):
        asked.append((a, b))
        return ["a"] if a is None else ["a", "b"]

    both = NodeType(
        "Lazy", lambda a, b: a + b, (integer("a", lazy=True), integer("b", lazy=True)), INT, check_lazy=needs
    )
    prompt = api(n1=("Lazy", {"a": wire("2"), "b": wire("3")}), n2=("Add", {"a": 1}), n3=("Add", {"a": 2}), show=SHOW)
    outcome, events = run(executor_of(both), prompt)
    assert text(outcome) == ["3"]
    assert asked == [(None, None), (1, None)]
    assert [each.node for each in of_kind(events, Executing)] == ["2", "3", "1", "show"]


def test_a_list_node_sees_a_missing_lazy_input_as_a_list_of_none():
    seen = []

    def needs(a, b):
        seen.append((a, b))
        return ["a"] if a == [None] else []

    lazy = NodeType(
        "Lazy",
        lambda a, b: (sum(a), seen.append(b))[:1],
        (integer("a", lazy=True), integer("b", lazy=True)),
        INT,
        input_is_list=True,
        check_lazy=needs,
    )
    prompt = api(n1=("Lazy", {"a": wire("2"), "b": wire("2")}), n2=("Range", {"n": 3}), show=SHOW)
    prompt = prompt.with_input("1", "b", prompt["1"].inputs["a"])
    outcome, _ = run(executor_of(lazy), prompt)
    assert text(outcome) == ["3"]
    assert seen[0] == ([None], [None])


def test_lazy_inputs_without_anyone_to_ask_are_computed():
    forgetful = NodeType("Lazy", lambda a: a, (integer("a", lazy=True),), INT)
    outcome, _ = run(executor_of(forgetful), api(n1=("Lazy", {"a": wire("2")}), n2=("Add", {"a": 4}), show=SHOW))
    assert text(outcome) == ["4"]


# Lists


def test_lists_are_mapped_and_joined():
    prompt = api(
        n0=("Range", {"n": 3}),
        n1=("Add", {"a": wire("0"), "b": 10}),
        show=SHOW,
        total=("Show", {"v": wire("2")}),
        n2=("Sum", {"v": wire("1")}),
    )
    outcome, events = run(executor_of(), prompt)
    assert text(outcome) == ["10", "11", "12"]
    assert text(outcome, "total") == ["33"]
    assert len(of_kind(events, Executing)) == 5  # one per node, not per item


def test_an_empty_list_runs_nothing_below_it_and_nothing_fails():
    prompt = api(
        n0=("Range", {"n": 0}), n1=("Add", {"a": wire("0")}), show=SHOW, n2=("Sum", {"v": wire("1")}),
        total=("Show", {"v": wire("2")}),
    )  # fmt: skip
    outcome, _ = run(executor_of(), prompt)
    assert outcome.status == "succeeded"
    assert "show" not in outcome.ui
    assert text(outcome, "total") == ["0"]


def test_a_list_node_gets_constants_and_hidden_inputs_as_lists():
    got = {}
    lists = NodeType(
        "Lists",
        lambda **given: (got.update(given), 1)[1],
        inputs("a"),
        INT,
        input_is_list=True,
        hidden={"unique_id": "UNIQUE_ID", "run": "RUN"},
    )
    run(executor_of(lists), api(n1=("Lists", {"a": 4}), show=SHOW))
    assert got["a"] == [4]
    assert got["unique_id"] == ["1"]
    assert isinstance(got["run"], Run)


# Blocked


def test_a_silent_block_skips_what_hangs_on_it_and_the_rest_goes_on():
    prompt = api(n1=("Stop", {"v": 0}), show=SHOW, other=("Show", {"v": 7}), n2=("Add", {"a": wire("1")}))
    outcome, events = run(executor_of(), prompt)
    assert outcome.status == "succeeded"
    assert set(outcome.ui) == {"other"}
    assert of_kind(events, Failed) == []


def test_a_block_with_a_message_is_told_once_by_the_first_it_stops_each_time():
    executor = executor_of()
    prompt = api(n0=("Stop", {"v": 3}), n1=("Add", {"a": wire("0")}), show=SHOW, other=("Show", {"v": 7}))
    for _ in range(2):
        outcome, events = run(executor, prompt)
        assert outcome.status == "succeeded"
        assert outcome.failure is None
        (told,) = of_kind(events, Failed)
        assert (told.node, told.message, told.blocked) == ("1", "Execution Blocked: stop 3", True)
        assert told.exception_type == "ExecutionBlocked"
        assert told.traceback == ()


def test_in_a_list_only_the_blocked_items_are_left_out():
    prompt = api(n0=("Range", {"n": 3}), n1=("Stop", {"v": wire("0")}), show=SHOW)
    outcome, _ = run(executor_of(), prompt)
    assert text(outcome) == ["1", "2"]


def test_a_node_may_block_one_output_of_several():
    half = NodeType("Half", lambda: (1, Blocked()), (), (*INT, Output("b", "INT")))
    prompt = api(n1=("Half", {}), show=SHOW, other=("Show", {"v": wire("1", 1)}))
    outcome, _ = run(executor_of(half), prompt)
    assert set(outcome.ui) == {"show"}
