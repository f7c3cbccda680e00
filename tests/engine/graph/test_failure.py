"""Failure and cancelling: what is told, and what is kept."""

import gc
import weakref

import pytest

from engine.errors import Cancelled, NodeFailed, PromptError
from engine.graph.events import Failed, Finished, Interrupted, Started
from engine.graph.nodetype import Input, NodeType
from tests.engine.graph.arithmetic import INT, SHOW, World, api, executor_of, of_kind, run, source, text, wire


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


def test_an_error_written_for_the_user_names_the_input_that_is_to_blame():
    error = PromptError("too long")
    error.input = "b"
    failures = []
    for each in (error, PromptError("a: too short"), PromptError("c: too short"), ValueError("a: mine")):

        def fail(a=0, b=0, each=each):
            raise each

        outcome, _ = run(executor_of(source(fail)), api(n1=("Node", {"a": 1, "b": 2}), show=SHOW))
        failures.append(outcome.failure.message)
    assert failures == ["input b: too long", "input a: too short", "c: too short", "a: mine"]
