"""The plan, without a node ever running."""

from engine.graph.plan import Plan

CHAIN = {"a": [], "b": ["a"], "c": ["b"], "out": ["c"]}


def plan_of(graph, *, outputs=(), asyncs=(), available=()):
    return Plan(
        lambda node: graph[node],
        is_output=lambda node: node in outputs,
        is_async=lambda node: node in asyncs,
        is_available=lambda node: node in available,
    )


def run_through(plan):
    order = []
    while (node := plan.next()) is not None:
        order.append(node)
        plan.done(node)
    return order


def test_a_chain_runs_from_its_source_to_its_end():
    plan = plan_of(CHAIN)
    assert plan.want(["out"]) == ["out", "c", "b", "a"]
    assert run_through(plan) == ["a", "b", "c", "out"]
    assert plan.is_finished


def test_a_node_waits_for_all_its_sources():
    plan = plan_of({"a": [], "b": [], "c": ["a", "b"]})
    plan.want(["c"])
    first, second = plan.next(), plan.next()
    assert {first, second} == {"a", "b"}
    assert plan.next() is None
    plan.done("a")
    assert plan.next() is None
    plan.done("b")
    assert plan.next() == "c"


def test_nothing_above_an_available_node_is_planned():
    plan = plan_of(CHAIN, available={"b"})
    assert plan.want(["out"]) == ["out", "c"]
    assert run_through(plan) == ["c", "out"]


def test_a_wanted_node_that_is_available_leaves_nothing_to_do():
    plan = plan_of(CHAIN, available={"out"})
    assert plan.want(["out"]) == []
    assert plan.is_finished
    assert plan.next() is None


def test_ready_output_and_async_nodes_come_first():
    graph = {"plain": [], "output": [], "async": []}
    plan = plan_of(graph, outputs={"output"}, asyncs={"async"})
    plan.want(["output", "async", "plain"])
    # Everything wanted counts as an output, so a deep node shows the difference.
    assert run_through(plan)[:2] == ["output", "async"]
    graph = {"far": [], "x": ["far"], "y": ["x"], "z": ["y"], "end": ["z", "slow"], "slow": ["deep"], "deep": []}
    plan = plan_of({**graph, "deep": []}, outputs={"end"}, asyncs={"deep"})
    plan.want(["end"])
    assert plan.next() == "deep"


def test_nodes_near_an_output_come_before_those_further_away():
    graph = {
        "far": [], "f1": ["far"], "f2": ["f1"], "one": ["f2"],
        "near2": [], "n1": ["near2"], "two": ["n1"],
        "near1": [], "three": ["near1"],
    }  # fmt: skip
    plan = plan_of(graph, outputs={"one", "two", "three"})
    plan.want(["one", "two", "three"])
    assert plan.next() == "near1"
    plan.done("near1")
    assert plan.next() == "three"
    plan.done("three")
    assert plan.next() == "near2"
    plan.done("near2")
    assert [plan.next()] == ["n1"]
    plan.done("n1")
    assert plan.next() == "two"
    plan.done("two")
    assert plan.next() == "far"


def test_among_equals_one_branch_is_finished_before_the_next_begins():
    graph = {}
    for branch in "pq":
        graph |= {f"{branch}{i}": [f"{branch}{i - 1}"] if i else [] for i in range(8)}
    plan = plan_of(graph, outputs={"p7", "q7"})
    plan.want(["p7", "q7"])
    assert run_through(plan)[:5] == ["p0", "p1", "p2", "p3", "p4"]


def test_a_node_that_needs_more_comes_back_once_it_is_there():
    plan = plan_of({"switch": [], "lazy": ["deep"], "deep": []})
    plan.want(["switch"])
    assert plan.next() == "switch"
    assert plan.need("switch", ["lazy"]) == ["lazy", "deep"]
    assert plan.next() == "deep"
    plan.done("deep")
    assert plan.next() == "lazy"
    plan.done("lazy")
    assert plan.next() == "switch"
    plan.done("switch")
    assert plan.is_finished


def test_a_need_that_is_met_already_brings_the_node_back_at_once():
    plan = plan_of({"switch": ["a"], "a": []})
    plan.want(["switch"])
    plan.done(plan.next())
    assert plan.next() == "switch"
    assert plan.need("switch", ["a", "a"]) == ["a"]  # its value was not available any more, so it runs again
    plan.done(plan.next())
    assert plan.next() == "switch"
    plan = plan_of({"switch": [], "a": []}, available={"a"})
    plan.want(["switch"])
    plan.next()
    assert plan.need("switch", ["a"]) == []
    assert plan.next() == "switch"


def test_a_node_becomes_a_graph_and_takes_it_up_at_the_end():
    graph = {"loop": [], "after": ["loop"]}
    plan = plan_of(graph, outputs={"after"})
    plan.want(["after"])
    assert plan.next() == "loop"
    graph |= {"loop.0.0.1": [], "loop.0.0.2": ["loop.0.0.1"]}
    assert plan.became("loop", ["loop.0.0.2"]) == ["loop.0.0.2", "loop.0.0.1"]
    assert run_through(plan) == ["loop.0.0.1", "loop.0.0.2", "loop", "after"]


def test_nodes_that_wait_for_each_other_are_left_unfinished():
    graph = {"loop": []}
    plan = plan_of(graph)
    plan.want(["loop"])
    plan.next()
    graph["inner"] = ["loop"]
    plan.became("loop", ["inner"])
    assert plan.next() is None
    assert not plan.is_finished
    assert {*plan.unfinished()} == {"loop", "inner"}


def test_a_hundred_thousand_nodes_in_a_row_are_no_matter():
    graph = {str(i): [str(i - 1)] if i else [] for i in range(100_000)}
    plan = plan_of(graph)
    plan.want(["99999"])
    assert run_through(plan) == [str(i) for i in range(100_000)]
