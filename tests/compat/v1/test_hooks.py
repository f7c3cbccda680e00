"""VALIDATE_INPUTS, IS_CHANGED and check_lazy_status, in every shape authors give them."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy
import pytest
import torch

from engine.graph.author_checks import asked_elsewhere
from engine.graph.describe import read, snapshot
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.validate import Validation, validate
from tests.compat.v1.conftest import Bench

CONST = {"class_type": "V1Const", "inputs": {"number": 5, "text": "t"}}


def node(id: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": id, "inputs": inputs}


def check(bench: Bench, id: str, **inputs: Any) -> Validation:
    return bench.check({"1": node(id, **{"size": 15, "name": "listed", **inputs}), "c": CONST})


def kinds(validation: Validation) -> list[tuple[str | None, str]]:
    return [(each.input, each.kind) for each in validation.problems]


def test_a_check_by_name_turns_off_ours_for_those_inputs_only(bench: Bench) -> None:
    assert check(bench, "V1ByName", size=5).is_accepted  # below min, but the author checks that
    assert kinds(check(bench, "V1ByName", name="other")) == [("name", "value_not_in_list")]
    refused = check(bench, "V1ByName", size=13)
    assert kinds(refused) == [("size", "custom_validation_failed")]
    assert refused.problems[0].details == "size - 13 is unlucky"


def test_a_check_of_everything_turns_all_of_ours_off(bench: Bench) -> None:
    assert check(bench, "V1ByAll", size=5, name="other").is_accepted
    assert bench.cls("V1ByAll").SEEN == [{"size": 5, "name": "other", "me": "1"}]


def test_links_are_none_and_types_are_the_authors_business_where_he_asks_for_them(bench: Bench) -> None:
    assert check(bench, "V1ByTypes", image=["c", 0]).is_accepted  # an INT for a picture: his own affair
    refused = check(bench, "V1ByTypes", image=["c", 1])
    assert refused.problems[0].details.endswith("only whole numbers for pictures")
    assert check(bench, "V1ByAllAndTypes", image=["c", 1], size=5).is_accepted
    assert "no picture" in check(bench, "V1ByAllAndTypes").problems[0].details
    assert kinds(check(bench, "V1ByAll", image=["c", 1])) == [("image", "return_type_mismatch")]


@pytest.mark.parametrize(("answer", "details"), [(True, None), ("never", "never"), (False, ""), (None, "")])
def test_a_check_that_takes_nothing_is_a_check(bench: Bench, answer: Any, details: str | None) -> None:
    bench.cls("V1ByNothing").ANSWER = answer
    validation = check(bench, "V1ByNothing")
    assert [each.details for each in validation.problems] == ([] if details is None else [details])
    known = Registry(read(json.loads(json.dumps(snapshot(each)))) for each in bench.host.registry)
    prompt = Prompt.from_json({"1": node("V1ByNothing", size=15, name="listed"), "2": node("V1Show", value=1)})
    assert validate(prompt, known).is_accepted
    assert asked_elsewhere(prompt, known, {"1", "2"}) == ("1",)  # the API knows that there is one
    outcome = bench.run(prompt.to_json(), unvalidated=("1",), targets=["1"])
    assert outcome.status == ("succeeded" if details is None else "failed")


def test_a_check_may_be_async_or_static(bench: Bench) -> None:
    assert check(bench, "V1ByAsync").is_accepted
    assert kinds(check(bench, "V1ByAsync", name="x")) == [("name", "custom_validation_failed")]
    assert check(bench, "V1ByStatic").is_accepted
    assert kinds(check(bench, "V1ByStatic", name="none")) == [("name", "custom_validation_failed")]


@pytest.mark.parametrize(
    ("name", "details"),
    [("raise", "no such thing"), ("exit", "the node's code tried to end the program")],
)
def test_a_check_that_raises_or_exits_is_a_fault_of_the_node(bench: Bench, name: str, details: str) -> None:
    (problem,) = check(bench, "V1ByStatic", name=name).problems
    assert (problem.node, problem.kind, problem.details) == ("1", "exception_during_validation", details)


def runs(bench: Bench, id: str, times: int = 2, **inputs: Any) -> int:
    """How often a node runs in so many runs of the same graph."""
    cls = bench.cls(id)
    before = cls.RUNS
    for _ in range(times):
        bench.run({"1": node(id, **{"value": 0, "linked": ["c", 0], **inputs}), "c": CONST}, targets=["1"]).check()
    return int(cls.RUNS - before)


@pytest.mark.parametrize(
    ("answer", "times"),
    [
        (1, 1),
        ("text", 1),
        (None, 1),
        ({"a": [1, 2.5]}, 1),
        (torch.tensor([1.0, 2.0]), 1),
        (numpy.arange(3), 1),
        (numpy.float32(1.5), 1),
        (torch.tensor(2), 1),
        (float("nan"), 2),
        (numpy.float32(math.nan), 2),
        (torch.tensor(math.nan), 2),
        ([math.nan], 2),
        (object(), 2),
        (ValueError("cannot tell"), 2),
        (SystemExit(1), 2),
    ],
)
def test_a_fingerprint_says_whether_a_node_runs_again(bench: Bench, answer: Any, times: int) -> None:
    bench.cls("V1Changed").ANSWER = answer
    assert runs(bench, "V1Changed", value=1) == times
    assert bench.cls("V1Changed").SEEN[-1] == (1, None, "1")  # links are None, hidden inputs are given


def test_a_fingerprint_that_changes_runs_the_node_again(bench: Bench) -> None:
    for id in ("V1Changed", "V1ChangedStatic", "V1ChangedAsync"):
        cls = bench.cls(id)
        cls.ANSWER = 1
        assert runs(bench, id) == 1
        cls.ANSWER = 2
        assert runs(bench, id) == 1


def test_a_fingerprint_that_cannot_be_called_means_always(bench: Bench) -> None:
    assert runs(bench, "V1ChangedPlain") == 2


def graph(flag: bool) -> Mapping[str, Any]:
    branches = {"y": node("V1Static", value=1), "n": node("V1Class", value=1)}
    return {"1": node("V1Switch", flag=flag, yes=["y", 0], no=["n", 0]), **branches}


@pytest.mark.parametrize(("flag", "ran", "value"), [(True, "y", 2), (False, "n", 3)])
def test_only_the_branch_that_is_asked_for_runs(bench: Bench, flag: bool, ran: str, value: int) -> None:
    outcome = bench.run(dict(graph(flag)), targets=["1"]).check()
    assert outcome.values["1"] == ([value],)
    assert outcome.executed == (ran, "1")


def test_a_list_node_sees_what_is_not_computed_as_a_tuple_of_none(bench: Bench) -> None:
    prompt = {
        "a": node("V1List", value=1),
        "b": node("V1Static", value=7),
        "1": node("V1LazyList", ready=["a", 0], later=["b", 0]),
    }
    assert bench.run(prompt, targets=["1"]).check().values["1"] == (["[1, 2, 3] [8]"],)
    assert bench.cls("V1LazyList").SEEN == [([1, 2, 3], (None,))]


def test_a_raw_link_is_handed_over_as_it_is(bench: Bench) -> None:
    prompt = {"1": node("V1Raw", link=["c", 2]), "c": CONST}
    outcome = bench.run(prompt, targets=["1"]).check()
    assert outcome.values["1"] == (["['c', 2] V1Const"],)
