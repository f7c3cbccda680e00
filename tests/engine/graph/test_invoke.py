"""Fingerprints, validation, hidden inputs and instances: what an author's code is called with."""

import asyncio
import math

import pytest

from engine.graph.events import Preview, Progress
from engine.graph.nodetype import NodeType, Result
from tests.engine.graph.arithmetic import (
    INT,
    SHOW,
    World,
    api,
    executor_of,
    node,
    run,
    source,
    text,
    wire,
)


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
    run(executor_of(hidden), prompt, extra={"workflow": {"x": 1}}, job="j", attempt=2)
    assert got["unique_id"] == "1"
    assert got["prompt"] == prompt.to_json()
    assert got["extra_pnginfo"] == {"workflow": {"x": 1}}
    assert got["run"].prompt == prompt.to_json()
    assert got["run"].extra == {"workflow": {"x": 1}}
    assert (got["run"].job, got["run"].attempt) == ("j", 2)
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
