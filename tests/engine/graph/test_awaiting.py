"""Async nodes: side by side, in order, and stopped when somebody asks."""

import asyncio
import threading

from engine.graph.events import Finished, Interrupted
from engine.graph.nodetype import NodeType
from tests.engine.graph.arithmetic import (
    INT,
    SHOW,
    api,
    executor_of,
    inputs,
    of_kind,
    run,
    source,
    text,
    wire,
)


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
        await asyncio.Event().wait()  # forever, unless it is stopped

    outcome, events = run(executor_of(source(wait)), api(n1=("Node", {}), show=SHOW), is_cancelled=stop.is_set)
    assert outcome.status == "cancelled"
    assert len(of_kind(events, Interrupted)) == 1


def test_an_async_node_may_answer_at_once_and_be_the_last():
    async def answer(a=0, b=0):
        await asyncio.sleep(0)
        return a

    shown = NodeType("Out", answer, inputs("a"), INT, is_output=True)
    outcome, _ = run(executor_of(shown), api(only=("Out", {"a": 4})))
    assert (outcome.failure, outcome.executed) == (None, ("only",))
