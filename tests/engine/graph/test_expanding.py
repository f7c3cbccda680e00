"""Nodes that take links as they are, or put graphs in their place."""

from engine.graph.builder import Builder
from engine.graph.cache import Budgets, Cache
from engine.graph.events import Executed, Executing
from engine.graph.nodetype import NodeType, Result
from tests.engine.graph.arithmetic import (
    INT,
    SHOW,
    World,
    api,
    executor_of,
    inputs,
    integer,
    node,
    of_kind,
    run,
    text,
    wire,
)


def test_a_raw_link_is_handed_over_as_it_is_and_not_computed():
    world, got = World(), []
    raw = NodeType("Raw", lambda a: (got.append(a), 1)[1], (integer("a", rawLink=True),), INT)
    run(executor_of(raw, world=world), api(n1=("Raw", {"a": wire("2", 1)}), n2=("Both", {}), show=SHOW))
    assert got == [["2", 1]]
    assert "Both" not in world.calls


def test_a_node_becomes_a_graph_with_ids_that_repeat():
    prompt = api(n1=("Double", {"v": 4}), show=SHOW)
    outcome, events = run(executor_of(), prompt)
    assert text(outcome) == ["8"]
    begun = of_kind(events, Executing)
    assert [(each.node, each.display_node, each.parent) for each in begun] == [
        ("1", "1", None),
        ("1.0.0.1", "1", "1"),
        ("1.0.0.2", "1", "1"),
        ("show", "show", None),
    ]
    _, events = run(executor_of(cache=Cache(Budgets(0, 0))), prompt)
    assert [each.node for each in of_kind(events, Executing)] == [each.node for each in begun]


def test_graphs_within_graphs_carry_the_path_in_their_ids():
    outcome, events = run(executor_of(), api(n1=("CountDown", {"n": 3}), show=SHOW))
    assert text(outcome) == ["6"]
    nodes = [each.node for each in of_kind(events, Executing)]
    assert "1.0.0.rest.0.0.rest.0.0.rest" in nodes
    assert all(each.display_node == "1" for each in of_kind(events, Executing) if each.node != "show")


def test_a_loop_of_a_thousand_rounds_is_a_thousand_graphs_deep():
    def loop(n):
        if n == 0:
            return Result((0,))
        return Result((["s", 0],), expand={"r": node("Loop", n=n - 1), "s": node("Add", a=1, b=["r", 0])})

    outcome, events = run(
        executor_of(NodeType("Loop", loop, inputs("n"), INT)), api(n1=("Loop", {"n": 1000}), show=SHOW)
    )
    assert text(outcome) == ["1000"]
    assert {each.display_node for each in of_kind(events, Executing)} == {"1", "show"}


def test_every_call_of_a_mapped_node_may_become_a_graph():
    prompt = api(n0=("Range", {"n": 3}), n1=("Double", {"v": wire("0")}), show=SHOW)
    outcome, events = run(executor_of(), prompt)
    assert text(outcome) == ["0", "2", "4"]
    assert "1.2.0.2" in [each.node for each in of_kind(events, Executing)]


def test_ids_made_with_a_builder_and_its_prefix_are_kept():
    def make(a=0, run=None):
        graph = Builder(f"{run.node_id}.{run.call}.0.")
        end = graph.node("Add", a=a, b=1)
        return Result((end.out(),), expand=graph.to_json())

    expanding = NodeType("Make", make, inputs("a"), INT, hidden={"run": "RUN"})
    outcome, events = run(executor_of(expanding), api(n1=("Make", {"a": 1}), show=SHOW))
    assert text(outcome) == ["2"]
    assert of_kind(events, Executing)[1].node == "1.0.0.1"


def test_a_graph_may_be_wired_to_nodes_outside_even_ones_let_go_or_never_run():
    def make(a, raw=None):
        inner = {"i": node("Add", a=raw, b=a)}
        return Result((["i", 0],), expand=inner)

    expanding = NodeType("Make", make, (integer("a"), integer("raw", rawLink=True)), INT)
    prompt = api(
        n2=("Add", {"a": 1}), n3=("Add", {"a": wire("2"), "b": 1}), n4=("Both", {"v": 3}),
        n1=("Make", {"a": wire("3"), "raw": wire("4", 1)}), show=SHOW,
    )  # fmt: skip
    outcome, _ = run(executor_of(expanding, cache=Cache(Budgets(0, 0))), prompt)
    assert text(outcome) == ["12"]


def test_output_nodes_inside_a_graph_run_and_show_again_when_cached():
    def make(a=0):
        return Result((a,), expand={"s": node("Show", v=a), "unused": node("Add")})

    world = World()
    executor = executor_of(NodeType("Make", make, inputs("a"), INT), world=world)
    prompt = api(n1=("Make", {"a": 5}), show=SHOW)
    outcome, events = run(executor, prompt)
    assert text(outcome, "1.0.0.s") == ["5"]
    assert [each.display_node for each in of_kind(events, Executed)] == ["1", "1", "show"]
    again, events = run(executor, prompt.with_input("show", "v", 1))
    assert text(again) == ["1"]
    again, events = run(executor, prompt)
    assert again.ui == {"1.0.0.s": {"text": ["5"]}, "show": {"text": ["5"]}}
    assert world.calls.count("Show") == 3
    changed = api(n1=("Make", {"a": 5}), other=("Show", {"v": wire("1")}), more=("Add", {"a": wire("1")}))
    again, events = run(executor, changed, targets=["more"])
    assert text(again, "1.0.0.s") == ["5"]
    assert Executed("1.0.0.s", "1", {"text": ["5"]}, cached=True) in events


def test_an_added_node_may_be_shown_elsewhere():
    def make(a=0):
        return Result((["i", 0],), expand={"i": {**node("Add", a=a), "override_display_id": "body"}})

    prompt = api(n1=("Make", {"a": 5}), show=SHOW, body=("Add", {}))
    _, events = run(executor_of(NodeType("Make", make, inputs("a"), INT)), prompt)
    assert of_kind(events, Executing)[1].display_node == "body"


def test_a_graph_that_is_none_fails_with_what_is_wrong():
    for graph, said in (
        ({"i": {"inputs": {}}}, "class_type"),
        ({"i": node("Nonsense")}, "Nonsense"),
        ({"i": node("Add", a=["9", 0])}, "'9'"),
        ({"i": node("Add", a=["j", 0]), "j": node("Add", a=["i", 0])}, "<-"),
        ({"i": node("Add", a=["1", 0])}, "wait for each other"),
    ):
        bad = NodeType("Bad", lambda a=0, graph=graph: Result((["i", 0],), expand=graph), inputs("a"), INT)
        outcome, _ = run(executor_of(bad), api(n1=("Bad", {}), show=SHOW))
        assert outcome.status == "failed"
        assert said in outcome.failure.message


def test_what_an_expanded_node_reads_from_a_file_is_read_again():
    world = World()
    executor = executor_of(world=world)
    prompt = api(n0=("ReadInside", {}), n1=("Add", {"a": wire("0")}), show=SHOW)
    for file in (1, 1, 2, 1):
        world.file = file
        outcome, _ = run(executor, prompt)
        assert text(outcome) == [str(file)]
    world.calls.clear()
    run(executor, prompt)
    assert world.calls == ["ReadInside"]  # the graph is made anew, everything in it and below is found
