"""Runs with a cache, without one and with one far too small come to the same, whatever the graph."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.graph.cache import Budgets, Cache
from engine.graph.events import Executed, Failed, Finished
from engine.graph.executor import Executor
from engine.graph.prompt import Prompt
from tests.engine.graph.arithmetic import World, run, types

KINDS = {each.id: each for each in types(World()).values()}
INNER = [name for name in KINDS if name != "Show"]


@st.composite
def graphs(draw):
    """A graph in which every node may be wired to any before it, and three of them are shown."""
    count = draw(st.integers(1, 9))
    nodes = {}
    for index in range(count):
        kind = draw(st.sampled_from(INNER))
        given = {}
        for each in KINDS[kind].inputs:
            source = draw(st.none() | st.integers(0, index - 1)) if index else None
            if source is None:
                given[each.name] = draw(st.integers(0, 9))
            else:
                slots = len(KINDS[nodes[str(source)]["class_type"]].outputs)
                given[each.name] = [str(source), draw(st.integers(0, slots - 1))]
        nodes[str(index)] = {"class_type": kind, "inputs": given}
    for index in range(draw(st.integers(1, 3))):
        source = draw(st.integers(0, count - 1))
        nodes[f"show{index}"] = {"class_type": "Show", "inputs": {"v": [str(source), 0]}}
    return nodes


@st.composite
def histories(draw):
    """A graph, and the same graph again and again with a number, a file or the time changed."""
    nodes = draw(graphs())
    history = [(nodes, 0, 0)]
    for _ in range(draw(st.integers(1, 3))):
        nodes, file, now = history[-1]
        changed = {key: {**each, "inputs": dict(each["inputs"])} for key, each in nodes.items()}
        target = draw(st.sampled_from(sorted(changed)))
        numbers = [name for name, value in changed[target]["inputs"].items() if isinstance(value, int)]
        if numbers:
            changed[target]["inputs"][draw(st.sampled_from(numbers))] = draw(st.integers(0, 9))
        history.append((changed, file + draw(st.integers(0, 1)), now + 1))
    return history


def seen(executor, prompt):
    """What a client and a caller see of a run, apart from how it was got."""
    outcome, events = run(executor, prompt)
    assert outcome.status == "succeeded", outcome.failure
    assert isinstance(events[-1], Finished)
    blocked = {(each.node, each.message) for each in events if isinstance(each, Failed)}
    shown = {each.node: each.ui for each in events if isinstance(each, Executed) and each.node.startswith("show")}
    return outcome.ui, blocked, shown


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(1100, 8000))
def test_cached_and_uncached_runs_agree(history, budget):
    world = World()
    cached = Executor(types(world), catch_mutation=True)
    cramped = Executor(types(world), Cache(Budgets(ram=budget)))
    for nodes, file, now in history:
        world.file, world.now = file, now
        prompt = Prompt.from_json(nodes)
        expected = seen(Executor(types(world), Cache(Budgets(0, 0))), prompt)
        assert seen(cached, prompt) == expected
        assert seen(cached, prompt) == expected
        assert seen(cramped, prompt) == expected


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_a_second_run_calls_nothing_but_what_must_always_run(nodes):
    world = World()
    executor = Executor(types(world))
    prompt = Prompt.from_json(nodes)
    executor.execute(prompt)
    world.calls.clear()
    executor.execute(prompt)
    kinds = {each["class_type"] for each in nodes.values()}
    # Blocked nodes are not kept: what they would do is nothing. Nodes that look at a file while expanding do so again.
    if not kinds & {"Now", "NowInside", "ReadInside", "Stop"}:
        assert world.calls == []


@pytest.mark.parametrize("kind", INNER)
def test_every_kind_of_node_takes_part_in_the_random_graphs(kind):
    world = World()
    prompt = Prompt.from_json(
        {"1": {"class_type": kind, "inputs": {}}, "2": {"class_type": "Show", "inputs": {"v": ["1", 0]}}}
    )
    assert Executor(types(world)).execute(prompt).status == "succeeded"
    assert kind in world.calls
