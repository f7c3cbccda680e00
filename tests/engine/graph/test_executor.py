"""Which nodes run, in which order, and what is told of it, however large the prompt is."""

import gc
import threading
import weakref

import pytest

from engine.errors import PromptError
from engine.graph.cache import Budgets, Cache
from engine.graph.events import Cached, Executed, Executing, Finished, Started
from engine.graph.nodetype import NodeType
from engine.graph.prompt import Prompt
from tests.engine.graph.arithmetic import (
    INT,
    SHOW,
    World,
    api,
    executor_of,
    inputs,
    node,
    of_kind,
    run,
    source,
    text,
    wire,
)

# What runs, and in which order


def test_only_output_nodes_and_what_they_need_are_run():
    world = World()
    prompt = api(n1=("Add", {"a": 1}), n2=("Both", {"v": 5}), n3=("Nonsense", {}), show=SHOW)
    outcome, _ = run(executor_of(world=world), prompt)
    assert outcome.status == "succeeded"
    assert world.calls == ["Add", "Show"]
    assert outcome.executed == ("1", "show")


def test_targets_choose_the_outputs_and_give_their_values():
    world = World()
    prompt = api(n1=("Both", {"v": 3}), show=SHOW, other=("Show", {"v": wire("1", 1)}))
    outcome, _ = run(executor_of(world=world), prompt, targets=["other"])
    assert set(outcome.ui) == {"other"}
    assert text(outcome, "other") == ["10"]
    outcome, _ = run(executor_of(world=world), prompt, targets=["1"])
    assert outcome.values == {"1": ([3], [10])}


def test_an_unknown_target_is_refused():
    with pytest.raises(PromptError, match="'9'"):
        executor_of().execute(api(n1=("Add", {})), targets=["9"])


def test_events_tell_the_whole_story_in_order():
    prompt = api(n1=("Add", {"a": 1, "b": 2}), show=SHOW)
    _, events = run(executor_of(), prompt)
    assert [type(each) for each in events] == [
        Started, Cached, Executing, Executed, Executing, Executed, Finished,
    ]  # fmt: skip
    assert events[0].order == ("1", "show")
    assert events[1].nodes == ()
    assert events[2] == Executing("1", "1", "Add")
    assert events[5].ui == {"text": ["3"]}
    assert events[-1].status == "succeeded"


def test_a_second_run_shows_cached_outputs_again_and_calls_nothing():
    world = World()
    executor = executor_of(world=world)
    prompt = api(n1=("Add", {"a": 1}), show=SHOW)
    first, _ = run(executor, prompt)
    world.calls.clear()
    second, events = run(executor, prompt)
    assert world.calls == []
    assert second.ui == first.ui
    assert events[1] == Cached(("1", "show"))
    assert of_kind(events, Executed) == [Executed("show", "show", {"text": ["1"]}, cached=True)]
    assert of_kind(events, Executing) == []


def test_a_cached_result_is_found_though_what_is_above_it_was_thrown_out():
    world = World()
    big = NodeType("Big", lambda v=0: (world.calls.append("Big"), b"x" * 50_000)[1:], inputs("v"), INT)
    length = NodeType("Length", lambda a=b"": len(a), inputs("a"), INT)
    executor = executor_of(big, length, world=world, cache=Cache(Budgets(ram=10_000)))
    prompt = api(n0=("Big", {}), n1=("Length", {"a": wire("0")}), show=SHOW)
    run(executor, prompt)
    world.calls.clear()
    changed = api(n0=("Big", {}), n1=("Length", {"a": wire("0")}), show=SHOW, more=("Show", {"v": wire("1")}))
    outcome, events = run(executor, changed)
    assert text(outcome, "more") == ["50000"]
    assert "Big" not in world.calls
    assert events[1].nodes[:2] == ("0", "1")


def test_equal_nodes_in_one_prompt_are_run_once():
    world = World()
    prompt = api(n1=("Add", {"a": 1}), n2=("Add", {"a": 1}), show=SHOW, other=("Show", {"v": wire("2")}))
    outcome, events = run(executor_of(world=world), prompt)
    assert sorted(world.calls) == ["Add", "Show"]
    assert text(outcome, "other") == text(outcome) == ["1"]
    assert len([each for each in of_kind(events, Executed) if each.cached]) == 1


def test_a_node_that_is_not_idempotent_runs_for_itself():
    count = iter(range(100))
    once = source(lambda **given: next(count), not_idempotent=True)
    executor = executor_of(once)
    prompt = api(n1=("Node", {}), n2=("Node", {}), show=SHOW, other=("Show", {"v": wire("2")}))
    outcome, _ = run(executor, prompt)
    assert {*text(outcome), *text(outcome, "other")} == {"0", "1"}
    again, _ = run(executor, prompt)
    assert again.ui == outcome.ui


def test_outputs_nobody_needs_any_more_are_let_go_during_the_run():
    class Thing:
        pass

    alive = weakref.WeakSet()

    def make(**given):
        thing = Thing()
        alive.add(thing)
        return thing

    def look(a=None, **given):
        gc.collect()
        return len(alive)

    kinds = [
        NodeType("Make", make, inputs("a"), INT),
        NodeType("Pass", lambda a: 1, inputs("a"), INT),
        NodeType("Look", look, inputs("a"), INT),
    ]
    executor = executor_of(*kinds, cache=Cache(Budgets(0, 0)))
    prompt = api(n0=("Make", {}), n2=("Pass", {"a": wire("0")}), n1=("Look", {"a": wire("2")}), show=SHOW)
    outcome, _ = run(executor, prompt)
    assert text(outcome) == ["0"]


# Size


@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_very_long_chain_runs_without_recursion(count):
    nodes = {"0": node("Add", a=1)}
    nodes |= {str(i): node("Add", a=[str(i - 1), 0], b=1) for i in range(1, count)}
    executor = executor_of(cache=Cache(Budgets(ram=1 << 20)))
    outcome = executor.execute(Prompt.from_json(nodes), targets=[str(count - 1)])
    assert outcome.check().values == {str(count - 1): ([count % 10_007],)}


def test_prompts_run_at_the_same_time_share_the_cache():
    world = World()
    executor = executor_of(world=world)
    outcomes = []

    def work(number):
        for i in range(30):
            prompt = api(n0=("Add", {"a": i}), n1=("Add", {"a": wire("0"), "b": number % 2}), show=SHOW)
            outcomes.append((i + number % 2, executor.execute(prompt)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(outcomes) == 120
    assert all(text(outcome) == [str(expected)] for expected, outcome in outcomes)


def test_what_is_forgotten_is_done_again():
    world = World()
    executor = executor_of(world=world)
    prompt = api(n1=("Add", {"a": 1}), show=SHOW)
    run(executor, prompt)
    executor.forget()
    assert len(executor.cache) == 0
    run(executor, prompt)
    assert world.calls == ["Add", "Show", "Add", "Show"]
