"""What node authors rely on, one promise after the other."""

import asyncio
import gc
import math
import threading
import time
import weakref

import pytest

from engine.errors import Cancelled, NodeFailed, PromptError
from engine.graph.builder import Builder
from engine.graph.cache import Budgets, Cache
from engine.graph.events import Cached, Executed, Executing, Failed, Finished, Interrupted, Preview, Progress, Started
from engine.graph.executor import Executor
from engine.graph.nodetype import Blocked, Input, NodeType, Output, Result
from engine.graph.prompt import Prompt
from engine.graph.run import Run
from tests.engine.graph.arithmetic import INT, World, api, inputs, integer, node, run, types, wire

SHOW = ("Show", {"v": wire("1")})


def executor_of(*extra: NodeType, world: World | None = None, **options) -> Executor:
    known = types(world or World())
    return Executor({**known, **{each.id: each for each in extra}}, **options)


def of_kind(events, kind):
    return [each for each in events if isinstance(each, kind)]


def text(outcome, node_id="show"):
    return outcome.ui[node_id]["text"]


def source(function, **options) -> NodeType:
    """A node type "Node" around a function of no or any inputs."""
    return NodeType("Node", function, inputs("a", "b"), INT, **options)


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


def test_a_block_with_a_message_is_told_at_the_output_node_each_time():
    executor = executor_of()
    prompt = api(n0=("Stop", {"v": 3}), n1=("Add", {"a": wire("0")}), show=SHOW, other=("Show", {"v": 7}))
    for _ in range(2):
        outcome, events = run(executor, prompt)
        assert outcome.status == "succeeded"
        assert outcome.failure is None
        (told,) = of_kind(events, Failed)
        assert (told.node, told.message, told.blocked) == ("show", "Execution Blocked: stop 3", True)
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


# Async


def test_async_nodes_run_side_by_side():
    under_way, most = [], []

    async def wait(a=0, b=0):
        under_way.append(a)
        most.append(len(under_way))
        await asyncio.sleep(0.02)
        under_way.pop()
        return a

    prompt = api(
        n1=("Node", {"a": 1}), n2=("Node", {"a": 2}), n3=("Node", {"a": 3}),
        n4=("Add", {"a": wire("1"), "b": wire("2")}), show=("Show", {"v": wire("4")}), other=("Show", {"v": wire("3")}),
    )  # fmt: skip
    outcome, _ = run(executor_of(source(wait)), prompt)
    assert text(outcome) == ["3"]
    assert text(outcome, "other") == ["3"]
    assert max(most) == 3


def test_other_nodes_run_while_an_async_node_waits():
    order = []

    async def wait(a=0, b=0):
        order.append("begin")
        await asyncio.sleep(0.05)
        order.append("end")
        return a

    note = NodeType("Note", lambda a=0: (order.append("note"), a)[1:], inputs("a"), INT)
    prompt = api(n1=("Node", {"a": 1}), n2=("Note", {"a": 2}), show=SHOW, other=("Show", {"v": wire("2")}))
    outcome, _ = run(executor_of(source(wait), note), prompt)
    assert outcome.status == "succeeded"
    assert order == ["begin", "note", "end"]


def test_the_calls_of_a_mapped_async_node_run_side_by_side_and_keep_their_order():
    async def wait(a=0, b=0):
        await asyncio.sleep(0.03 - 0.01 * a)
        return a

    prompt = api(n0=("Range", {"n": 3}), n1=("Node", {"a": wire("0")}), show=SHOW)
    outcome, _ = run(executor_of(source(wait)), prompt)
    assert text(outcome) == ["0", "1", "2"]


def test_an_async_node_that_raises_fails_the_run_and_stops_the_others():
    stopped = []

    async def wait(a=0, b=0):
        try:
            await asyncio.sleep(0 if a else 10)
        except asyncio.CancelledError:
            stopped.append(a)
            raise
        raise ValueError("no")

    prompt = api(n1=("Node", {"a": 1}), n2=("Node", {"a": 0}), show=SHOW, other=("Show", {"v": wire("2")}))
    outcome, events = run(executor_of(source(wait)), prompt)
    assert outcome.status == "failed"
    assert (outcome.failure.node, outcome.failure.message, outcome.failure.exception_type) == ("1", "no", "ValueError")
    assert stopped == [0]
    assert isinstance(events[-1], Finished)


def test_async_nodes_work_inside_a_running_event_loop():
    async def wait(a=0, b=0):
        await asyncio.sleep(0)
        return a + 1

    async def notebook():
        return executor_of(source(wait)).execute(api(n1=("Node", {"a": 1}), show=SHOW))

    assert text(asyncio.run(notebook())) == ["2"]


def test_cancelling_stops_an_async_node():
    stop = threading.Event()

    async def wait(a=0, b=0):
        stop.set()
        await asyncio.sleep(30)

    began = time.monotonic()
    outcome, events = run(executor_of(source(wait)), api(n1=("Node", {}), show=SHOW), is_cancelled=stop.is_set)
    assert outcome.status == "cancelled"
    assert time.monotonic() - began < 5
    assert len(of_kind(events, Interrupted)) == 1


# Raw links and expansion


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


# Fingerprints, validation, hidden inputs, instances


def test_a_fingerprint_decides_whether_a_node_runs_again():
    world = World()
    executor = executor_of(world=world)
    prompt = api(n1=("File", {}), show=SHOW)
    run(executor, prompt)
    world.calls.clear()
    run(executor, prompt)
    assert world.calls == []
    world.file = 7
    outcome, _ = run(executor, prompt)
    assert text(outcome) == ["7"]


@pytest.mark.parametrize("hook", [lambda: math.nan, lambda: 1 / 0, lambda: [math.nan], lambda: object()])
def test_nan_an_exception_and_the_unreadable_mean_always(hook):
    calls = []
    always = source(lambda **given: calls.append(1) or 1, fingerprint=hook)
    executor = executor_of(always)
    for _ in range(3):
        run(executor, api(n1=("Node", {}), show=SHOW))
    assert len(calls) == 3


def test_a_fingerprint_gets_the_inputs_it_names_with_links_as_none():
    got = []

    def fingerprint(**given):
        got.append(given)
        return 0

    for names in (("a",), ("b",), None):
        kind = source(lambda **given: 1, fingerprint=fingerprint, fingerprint_inputs=names)
        run(executor_of(kind), api(n1=("Node", {"a": 3, "b": wire("2")}), n2=("Add", {}), show=SHOW))
    assert got == [{"a": 3}, {"b": None}, {"a": 3, "b": None}]


def test_an_async_fingerprint_is_waited_for():
    async def fingerprint():
        await asyncio.sleep(0)
        return 1

    executor = executor_of(source(lambda **given: 1, fingerprint=fingerprint))
    prompt = api(n1=("Node", {}), show=SHOW)
    run(executor, prompt)
    _, events = run(executor, prompt)
    assert events[1].nodes == ("1", "show")


@pytest.mark.parametrize(("answer", "said"), [("too dark", "too dark"), (False, "a")])
def test_validation_that_could_not_be_asked_before_is_asked_at_execution(answer, said):
    got = []
    kind = source(
        lambda **given: 1,
        validate=lambda **given: got.append(given) or answer,
        validate_inputs=("a", "input_types"),
    )
    prompt = api(n1=("Node", {"a": 3, "b": wire("2")}), n2=("Add", {}), show=SHOW)
    outcome, _ = run(executor_of(kind), prompt)
    assert outcome.status == "succeeded"
    assert got == []
    outcome, _ = run(executor_of(kind), prompt, unvalidated=["1"])
    assert outcome.status == "failed"
    assert outcome.failure.node == "1"
    assert said in outcome.failure.message
    assert got == [{"a": 3, "input_types": {"b": "INT"}}]


def test_hidden_inputs_are_filled_in():
    got = {}
    kinds = ("UNIQUE_ID", "PROMPT", "EXTRA_PNGINFO", "DYNPROMPT", "RUN")
    hidden = source(lambda **given: got.update(given) or 1, hidden={each.lower(): each for each in kinds})
    prompt = api(n1=("Node", {"a": 3}), show=SHOW)
    run(executor_of(hidden), prompt, extra={"workflow": {"x": 1}})
    assert got["unique_id"] == "1"
    assert got["prompt"] == prompt.to_json()
    assert got["extra_pnginfo"] == {"workflow": {"x": 1}}
    assert got["run"].prompt == prompt.to_json()
    assert got["run"].extra == {"workflow": {"x": 1}}
    dynamic = got["dynprompt"]
    assert dynamic.get_node("1") == {"class_type": "Node", "inputs": {"a": 3}}
    assert dynamic.get_node("show")["inputs"] == {"v": ["1", 0]}
    assert dynamic.has_node("show")
    assert not dynamic.has_node("9")
    assert dynamic.all_node_ids() == {"1", "show"}
    assert dynamic.get_parent_node_id("1") is None
    assert dynamic.get_real_node_id("1") == dynamic.get_display_node_id("1") == "1"


def test_an_instance_is_kept_while_its_id_stays_in_the_graph():
    class Counter:
        def __init__(self):
            self.count = 0

    def step(self, **given):
        self.count += 1
        return self.count

    executor = executor_of(source(step, create=Counter, fingerprint=lambda: math.nan))
    prompt = api(n1=("Node", {}), show=SHOW)
    assert [text(run(executor, prompt)[0]) for _ in range(3)] == [["1"], ["2"], ["3"]]
    run(executor, api(show=("Show", {"v": 1})))
    assert text(run(executor, prompt)[0]) == ["1"]


def test_an_instance_inside_a_graph_is_kept_too():
    class Counter:
        count = 0

    def step(self, **given):
        self.count += 1
        return self.count

    counter = source(step, create=Counter, fingerprint=lambda: math.nan)
    make = NodeType("Make", lambda: Result((["i", 0],), expand={"i": node("Node")}), (), INT)
    executor = executor_of(counter, make)
    prompt = api(n1=("Make", {}), show=SHOW)
    assert [text(run(executor, prompt)[0]) for _ in range(2)] == [["1"], ["2"]]


def test_progress_and_previews_are_events():
    def work(run, **given):
        run.progress(1, 2)
        run.preview(b"jpeg")
        return 1

    _, events = run(executor_of(source(work, hidden={"run": "RUN"})), api(n1=("Node", {}), show=SHOW))
    assert Progress("1", 1, 2) in events
    assert Preview("1", b"jpeg") in events


# Failure and cancelling


def test_an_exception_becomes_a_failure_that_names_node_and_inputs():
    class Tensor:
        shape = (1, 4, 8, 8)
        dtype = "float32"

    def fail(a, b):
        raise ValueError(f"cannot add {a}")

    values = NodeType("Value", lambda: Tensor(), (), INT)
    prompt = api(n1=("Node", {"a": 3, "b": wire("2")}), n2=("Value", {}), show=SHOW)
    outcome, events = run(executor_of(source(fail), values), prompt)
    assert outcome.status == "failed"
    failure = outcome.failure
    assert (failure.node, failure.class_type, failure.message) == ("1", "Node", "cannot add 3")
    assert failure.exception_type == "ValueError"
    assert failure.inputs == {"a": [3], "b": ["Tensor [1, 4, 8, 8] float32"]}
    assert failure.executed == ("2",)
    assert any("in fail" in line for line in failure.traceback)
    assert not any("execution.py" in line for line in failure.traceback)
    assert [type(each) for each in events[-2:]] == [Failed, Finished]
    with pytest.raises(NodeFailed, match=r"node 1 \(Node\): cannot add 3") as caught:
        outcome.check()
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("deep"), SystemExit(1), KeyError("x"), Exception()])
def test_no_exception_of_a_node_escapes(error):
    def fail(**given):
        raise error

    outcome, _ = run(executor_of(source(fail)), api(n1=("Node", {}), show=SHOW))
    assert outcome.status == "failed"
    assert outcome.failure.message


def test_running_out_of_memory_says_what_to_do():
    class OutOfMemoryError(RuntimeError):
        pass

    def fail(**given):
        raise OutOfMemoryError("CUDA out of memory")

    outcome, _ = run(executor_of(source(fail)), api(n1=("Node", {}), show=SHOW))
    assert "smaller" in outcome.failure.message
    told = executor_of(source(fail), advise=lambda error: f"call {type(error).__name__}")
    outcome, _ = run(told, api(n1=("Node", {}), show=SHOW))
    assert outcome.failure.message.endswith("call OutOfMemoryError")


def test_a_kept_failure_keeps_no_values_alive():
    class Tensor:
        pass

    alive = weakref.WeakSet()

    def fail(**given):
        tensor = Tensor()
        alive.add(tensor)
        raise ValueError("no")

    outcome, _ = run(executor_of(source(fail)), api(n1=("Node", {}), show=SHOW))
    gc.collect()
    assert outcome.error is not None
    assert len(alive) == 0


@pytest.mark.parametrize(
    ("nodes", "node_id", "said"),
    [
        ({"n1": ("Nonsense", {}), "show": SHOW}, "1", "Nonsense"),
        ({"n1": ("Add", {"a": wire("9")}), "show": SHOW}, "1", "'9'"),
        ({"n1": ("Add", {"a": wire("1")}), "show": SHOW}, "1", "1 <- 1"),
        ({"n1": ("Add", {"a": wire("2")}), "n2": ("Add", {"a": wire("1")}), "show": SHOW}, "1", "1 <- 2 <- 1"),
        ({"n1": ("Add", {}), "show": ("Show", {"v": wire("1", 5)})}, "show", "no slot 5"),
        ({"n1": ("Add", {"a": [1, 2, 3]}), "show": SHOW}, "1", "link"),
    ],
)
def test_a_prompt_nobody_validated_fails_readably(nodes, node_id, said):
    outcome, events = run(executor_of(), api(**nodes))
    assert outcome.status == "failed"
    assert outcome.failure.node == node_id
    assert said in outcome.failure.message
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)


def test_cancelling_between_nodes_and_in_the_middle_of_one():
    cancelled = []

    def work(run, **given):
        cancelled.append(True)
        run.progress(1, 10)
        raise AssertionError("should have stopped")

    kind = source(work, hidden={"run": "RUN"})
    outcome, events = run(executor_of(kind), api(n1=("Node", {}), show=SHOW), is_cancelled=lambda: bool(cancelled))
    assert outcome.status == "cancelled"
    assert of_kind(events, Interrupted) == [Interrupted("1", "Node", ())]
    assert events[-1].status == "cancelled"
    with pytest.raises(Cancelled):
        outcome.check()
    outcome, events = run(executor_of(), api(n1=("Add", {}), show=SHOW), is_cancelled=lambda: True)
    assert of_kind(events, Interrupted) == [Interrupted(None, "", ())]


def test_what_ran_before_a_failure_is_found_by_the_next_run():
    world = World()

    def fail(**given):
        raise ValueError

    executor = executor_of(source(fail), world=world)
    prompt = api(n2=("Add", {"a": 1}), n1=("Node", {"a": wire("2")}), show=SHOW)
    run(executor, prompt)
    _, events = run(executor, prompt)
    assert events[1].nodes == ("2",)
    assert world.calls == ["Add"]


def test_ctrl_c_leaves_the_run_told_and_goes_on_to_the_caller():
    def interrupted(**given):
        raise KeyboardInterrupt

    events = []
    with pytest.raises(KeyboardInterrupt):
        executor_of(source(interrupted)).execute(api(n1=("Node", {}), show=SHOW), emit=events.append)
    assert isinstance(events[-1], Finished)
    assert len(of_kind(events, Interrupted)) == 1


def test_a_node_that_changes_a_value_it_was_given_is_caught_by_name():
    make = NodeType("Make", lambda: [1, 2], (), INT)
    spoil = NodeType("Spoil", lambda a: a.append(3) or len(a), (Input("a", "LIST"),), INT)
    prompt = api(n0=("Make", {}), n1=("Spoil", {"a": wire("0")}), show=SHOW)
    outcome, _ = run(executor_of(make, spoil, catch_mutation=True), prompt)
    assert outcome.status == "failed"
    assert (outcome.failure.node, outcome.failure.class_type) == ("1", "Spoil")
    assert "changed its input a" in outcome.failure.message
    keep = NodeType("Spoil", lambda a: len([*a, 3]), (Input("a", "LIST"),), INT)
    outcome, _ = run(executor_of(make, keep, catch_mutation=True), prompt)
    assert text(outcome) == ["3"]


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
