"""V1 nodes that misbehave while they run: each fails alone, with its name, and the engine goes on."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from engine.graph.events import Failed
from engine.workers.messages import pack
from tests.compat.v1.conftest import Bench


class Bad:
    RETURN_TYPES: Any = ("INT",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> Any:
        return {"required": {}}


class Raises(Bad):
    def run(self) -> Any:
        raise ValueError("of no use")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")


class RaisesUnspeakably(Bad):
    def run(self) -> Any:
        raise Unspeakable


class RaisesAtLength(Bad):
    def run(self) -> Any:
        raise ValueError("x" * 5_000_000)


class NoException(BaseException):
    pass


class RaisesPastEveryone(Bad):
    def run(self) -> Any:
        raise NoException("past every except")


class RaisesPastEveryoneLater(Bad):
    async def run(self) -> Any:
        await asyncio.sleep(0)
        raise NoException("past every except")


class Exits(Bad):
    def run(self) -> Any:
        raise SystemExit(3)


class ExitsLater(Bad):
    async def run(self) -> Any:
        raise SystemExit(3)


class ExitsInSteps(Bad):
    def run(self) -> Iterator[Any]:
        yield (1,)
        raise SystemExit(3)


class ExitsWhenMade(Bad):
    def __init__(self) -> None:
        raise SystemExit(3)

    def run(self) -> Any:
        return (1,)


class NeedsArguments(Bad):
    def __init__(self, name: str) -> None:
        self.name = name

    def run(self) -> Any:
        return (1,)


class HasNoSuchFunction(Bad):
    FUNCTION = "walk"


class TakesNothing(Bad):
    @classmethod
    def INPUT_TYPES(cls) -> Any:
        return {"required": {"a": ("INT", {})}}

    def run(self) -> Any:
        return (1,)


class Recurses(Bad):
    def run(self) -> Any:
        return self.run()


class ExitsWhenAsked(Bad):
    @classmethod
    def INPUT_TYPES(cls) -> Any:
        return {"required": {"a": ("INT", {"lazy": True})}}

    def check_lazy_status(self, a: Any) -> Any:
        raise SystemExit(3)

    def run(self, a: Any) -> Any:
        return (1,)


class Items:
    def __iter__(self) -> Iterator[int]:
        yield 1
        raise OSError("the second cannot be read")


class BreaksOff(Bad):
    OUTPUT_IS_LIST = (True,)

    def run(self) -> Any:
        return (Items(),)


class ExpandsIntoNothingKnown(Bad):
    def run(self) -> Any:
        return {"result": (["x", 0],), "expand": {"x": {"class_type": "NobodyHasThis", "inputs": {}}}}


class ExpandsIntoRubbish(Bad):
    def run(self) -> Any:
        return {"result": (["x", 0],), "expand": {"x": ["no", "node"]}}


class ExpandsPastItsGraph(Bad):
    def run(self) -> Any:
        return {"result": (["x", 7],), "expand": {"x": {"class_type": "V1Add", "inputs": {"a": 1, "b": 1}}}}


ENDED = "the node's code tried to end the program"
FAILURES = [
    (Raises, "ValueError", "of no use"),
    (RaisesUnspeakably, "Unspeakable", "Unspeakable"),
    (RaisesAtLength, "ValueError", "characters)"),
    (RaisesPastEveryone, "RuntimeError", "the node raised NoException, which is no Exception: past every except"),
    (RaisesPastEveryoneLater, "RuntimeError", "which is no Exception"),
    (Exits, "RuntimeError", ENDED),
    (ExitsLater, "RuntimeError", ENDED),
    (ExitsInSteps, "RuntimeError", ENDED),
    (ExitsWhenMade, "SystemExit", ENDED),
    (NeedsArguments, "TypeError", "required positional argument: 'name'"),
    (HasNoSuchFunction, "NodeTypeError", "FUNCTION is 'walk', but class HasNoSuchFunction has no such function"),
    (TakesNothing, "TypeError", "unexpected keyword argument 'a'"),
    (Recurses, "RecursionError", "maximum recursion depth"),
    (ExitsWhenAsked, "RuntimeError", ENDED),
    (BreaksOff, "OSError", "the second cannot be read"),
    (ExpandsIntoNothingKnown, "BadNode", "there is no node type 'NobodyHasThis'"),
    (ExpandsIntoRubbish, "PromptError", "expands into something that is no node"),
    (ExpandsPastItsGraph, "IndexError", "there is no slot 7"),
]


@pytest.mark.parametrize(("cls", "kind", "says"), FAILURES, ids=[cls.__name__ for cls, _, _ in FAILURES])
def test_a_node_that_fails_is_named_and_takes_nothing_along(bench: Bench, cls: type, kind: str, says: str) -> None:
    bench.add(cls)
    inputs = {"a": ["2", 0]} if cls in (TakesNothing, ExitsWhenAsked) else {}
    prompt = {
        "1": {"class_type": cls.__name__, "inputs": inputs},
        "2": {"class_type": "V1Add", "inputs": {"a": 1, "b": 1}},
    }
    outcome = bench.run(prompt, targets=["1"])
    assert outcome.status == "failed"
    failure = outcome.failure
    assert failure is not None
    assert failure.node.partition(".")[0] == "1"
    assert failure.exception_type.rpartition(".")[2] == kind
    assert says in failure.message
    (event,) = bench.of(Failed)
    assert len(json.dumps(pack(event)[0])) < 100_000  # small enough for every client
    assert bench.host.run is None
    assert bench.value("V1Static", {"value": 1}) == [2]  # the next job runs


class Prints(Bad):
    def run(self) -> Any:
        print("a" * 1_000_000)  # noqa: T201 -- that is the test
        return (1,)


def test_a_node_may_print_as_much_as_it_likes(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.add(Prints)
    assert bench.value("Prints") == [1]
    assert len(capsys.readouterr().out) == 1_000_001


class Hangs(Bad):
    async def run(self) -> Any:
        await asyncio.sleep(3600)


class HangsInSteps(Bad):
    def run(self) -> Iterator[Any]:
        while True:
            time.sleep(0.001)
            yield None


class HangsWithProgress(Bad):
    def run(self) -> Any:
        from comfy_execution.progress import get_progress_state

        while True:
            time.sleep(0.001)
            get_progress_state().update_progress("1", 1, 2)


@pytest.mark.parametrize("cls", [Hangs, HangsInSteps, HangsWithProgress])
def test_a_node_that_never_ends_can_be_cancelled(bench: Bench, cls: type) -> None:
    bench.add(cls)
    began = time.monotonic()
    prompt = {"1": {"class_type": cls.__name__, "inputs": {}}}
    outcome = bench.run(prompt, targets=["1"], is_cancelled=lambda: time.monotonic() - began > 0.1)
    assert outcome.status == "cancelled"
    assert time.monotonic() - began < 3


class ShowsRubbish(Bad):
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    def run(self) -> Any:
        round_ = ["round"]
        round_.append(round_)  # type: ignore[arg-type]
        return {
            "ui": {
                "tensor": torch.zeros(2),
                "bytes": [b"\xff\xfe"],
                "class": [object],
                5: [float("nan"), float("inf")],
                "round": [round_],
                "half": ["\ud800"],
                "unspeakable": [Unspeakable()],
            }
        }


def test_rubbish_that_is_shown_reaches_clients_as_plain_values(bench: Bench) -> None:
    bench.add(ShowsRubbish)
    outcome = bench.run({"1": {"class_type": "ShowsRubbish", "inputs": {}}}).check()
    assert set(outcome.ui["1"]) == {"tensor", "bytes", "class", 5, "round", "half", "unspeakable"}
    for event in bench.events:
        json.loads(json.dumps(pack(event)[0], allow_nan=False))


class Floods(Bad):
    OUTPUT_IS_LIST = (True,)

    def run(self) -> Any:
        return (range(20_000),)


def test_a_node_may_return_very_much(bench: Bench) -> None:
    bench.add(Floods)
    prompt = {
        "1": {"class_type": "Floods", "inputs": {}},
        "2": {"class_type": "V1Gather", "inputs": {"value": ["1", 0]}},
    }
    values = bench.run(prompt, targets=["1", "2"]).check().values
    assert len(values["1"][0]) == 20_000
    assert len(values["2"][0]) == 1


class ReturnsStrangely(Bad):
    RETURN_TYPES = ("A", "B")

    @classmethod
    def INPUT_TYPES(cls) -> Any:
        return {"required": {"how": ("INT", {})}}

    def run(self, how: int) -> Any:
        return [object(), type, lambda: 1, ..., Unspeakable(), "ab", b"ab", {1, 2}, torch.zeros(2, 2)][how]


@pytest.mark.parametrize("how", range(9))
def test_whatever_is_returned_is_one_value_and_the_missing_one_is_told(bench: Bench, how: int) -> None:
    bench.add(ReturnsStrangely)
    prompt = {
        "1": {"class_type": "ReturnsStrangely", "inputs": {"how": how}},
        "2": {"class_type": "V1AnyIn", "inputs": {"value": ["1", 1]}},
        "3": {"class_type": "V1AnyIn", "inputs": {"value": ["1", 0]}},
    }
    outcome = bench.run(prompt, targets=["2", "3"]).check()
    assert outcome.values["3"][0] is not None
    (told,) = bench.of(Failed)
    assert (told.node, told.blocked) == ("2", True)
    assert "ReturnsStrangely returned 1 value(s) for its 2 outputs, and nothing for B" in told.message
