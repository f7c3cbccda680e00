from engine.graph.cache import Budgets, Cache
from engine.graph.executor import Executor
from tests.engine.graph.arithmetic import World, api, types, wire


def graph(seed=1, source="0", file=("File", {"v": 0})):
    return api(
        n0=("Add", {"a": seed}), n00=("Add", {"a": 50}), f=file,
        n1=("Add", {"a": wire(source), "b": wire("f")}), show=("Show", {"v": wire("1")}),
    )  # fmt: skip


def test_the_input_that_made_the_difference_is_named():
    executor = Executor(types(World()))
    executor.execute(graph())
    assert executor.explain(graph(), "show").is_cached
    explanation = executor.explain(graph(seed=2), "show")
    assert not explanation.is_cached
    (difference,) = explanation.differences
    assert (difference.node, difference.input) == ("0", "a")
    assert str(explanation) == "node show runs again because of node 0 (Add): a was 1, is 2"


def test_another_wire_another_kind_and_a_new_node_are_named():
    executor = Executor(types(World()))
    executor.execute(graph())
    assert [(each.node, each.input) for each in executor.explain(graph(source="00"), "1").differences] == [
        ("1", "a"), ("00", ""),
    ]  # fmt: skip
    (difference,) = executor.explain(graph(file=("Both", {"v": 0})), "show").differences
    assert "was a File" in str(difference)
    assert str(executor.explain(api(new=("Add", {})), "new")) == "node new has not been run before"


def test_a_changed_file_and_what_always_runs_are_named():
    world = World()
    executor = Executor(types(world))
    executor.execute(graph())
    world.file = 1
    (difference,) = executor.explain(graph(), "show").differences
    assert "watches" in str(difference)
    executor.execute(graph(file=("Now", {})))
    (difference,) = executor.explain(graph(file=("Now", {})), "show").differences
    assert "every time" in str(difference)


def test_a_node_that_was_only_thrown_out_says_so():
    executor = Executor(types(World()), Cache(Budgets(0, 0)))
    executor.execute(graph())
    assert "not kept" in str(executor.explain(graph(), "show"))


def test_the_plan_of_a_run_is_told_without_running():
    world = World()
    executor = Executor(types(world))
    executor.execute(graph(), targets=["0"])
    world.calls.clear()
    report = executor.plan_report(graph())
    assert [each.node for each in report] == ["0", "f", "1", "show"]
    assert [each.node for each in report if each.is_cached] == ["0"]
    assert report[-1].is_output
    assert report[-2].outputs == ("INT",)
    assert world.calls == []


def test_two_values_changed_on_different_branches_are_both_named():
    executor = Executor(types(World()))
    executor.execute(graph())
    changed = graph(seed=3, file=("File", {"v": 9}))
    found = executor.explain(changed, "show").differences
    assert {(each.node, each.input) for each in found} == {("0", "a"), ("f", "v")}
