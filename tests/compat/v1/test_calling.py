"""Calling authors' functions: every kind of function, every way to answer, and values crossing the border."""

import gc
import sys
import time
from typing import Any

import pytest
import torch

from compat.crossing import enter, leave
from compat.host import Work
from engine.errors import Cancelled
from engine.graph.events import Failed, Interrupted
from engine.graph.executor import Executor
from engine.graph.nodetype import Blocked, Input, NodeType, Output
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from tests.compat.v1.conftest import PACK, Bench


def node(id: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": id, "inputs": inputs}


@pytest.mark.parametrize(
    ("id", "adds"),
    [("V1Static", 1), ("V1Class", 2), ("V1Async", 3), ("V1Awaitable", 4), ("V1Generator", 5), ("V1Method", 100)],
)
def test_every_kind_of_function_is_called(bench: Bench, id: str, adds: int) -> None:
    assert bench.value(id, {"value": 10}) == [10 + adds]
    assert bench.host.run is None


def test_an_object_is_kept_per_node_and_class_while_its_id_stays(bench: Bench) -> None:
    for count, value in enumerate((1, 2, 3), start=1):
        assert bench.value("V1Method", {"value": value}) == [value + 100 * count]
    assert bench.value("V1Method", {"value": 3}) == [303]  # from the cache: not called again
    prompt = {"2": node("V1Method", value=9), "1": node("V1Method", value=4)}
    values = bench.run(prompt, targets=["1", "2"]).check().values
    assert (values["1"], values["2"]) == (([404],), ([109],))
    assert bench.run({"2": node("V1Method", value=8)}, targets=["2"]).check().values["2"] == ([208],)
    assert bench.value("V1Method", {"value": 5}) == [105]  # its id was gone meanwhile


def test_a_class_written_anew_gets_new_objects(bench: Bench) -> None:
    assert bench.value("V1Method", {"value": 1}) == [101]

    class V1Method(bench.cls("V1Method")):  # type: ignore[misc]
        pass

    bench.add(V1Method)
    assert bench.value("V1Method", {"value": 2}) == [102]


def test_a_node_without_a_function_says_so(bench: Bench) -> None:
    outcome = bench.run({"1": node("V1Nameless", value=1)}, targets=["1"])
    assert outcome.failure is not None
    assert "names no FUNCTION" in outcome.failure.message


@pytest.mark.parametrize(
    ("how", "values"),
    [
        ("tuple", (1, "one")),
        ("list", (1, "one")),
        ("dict", (1, "one")),
        ("dict of list", (1, "one")),
        ("long", (1, "one")),
        ("blocker", (Blocked("nobody may"), Blocked("nobody may"))),
        ("silent", (Blocked(None), Blocked(None))),
        ("member", (1, Blocked("not the text"))),
        ("in dict", (Blocked("neither"), Blocked("neither"))),
    ],
)
def test_every_way_to_answer_is_understood(bench: Bench, how: str, values: tuple[Any, ...]) -> None:
    outcome = bench.run({"1": node("V1Answers", how=how)}, targets=["1"]).check()
    assert tuple(each[0] for each in outcome.values["1"]) == values
    assert (outcome.ui.get("1") == {"text": ["shown"]}) is (how == "dict of list")


@pytest.mark.parametrize(("how", "first"), [("short", 1), ("single", 7), ("nothing", None), ("empty", None)])
def test_too_few_values_stop_only_who_is_wired_to_a_missing_one(bench: Bench, how: str, first: int | None) -> None:
    prompt = {
        "1": node("V1Answers", how=how),
        "a": node("V1Show", value=["1", 0]),
        "b": node("V1Show", value=["1", 1]),
    }
    outcome = bench.run(prompt).check()
    assert outcome.ui.get("a") == (None if first is None else {"text": [str(first)]})
    told = [each for each in bench.of(Failed) if each.node == "b"]
    count = 0 if first is None else 1
    assert [each.message for each in told] == [
        f"Execution Blocked: V1Answers returned {count} value(s) for its 2 outputs, and nothing for STRING; "
        "its author must return one for each"
    ]


@pytest.mark.parametrize(("how", "says"), [("bad ui", 'returned list as "ui"'), ("bad expand", 'str as "expand"')])
def test_an_answer_that_means_nothing_fails_readably(bench: Bench, how: str, says: str) -> None:
    failure = bench.run({"1": node("V1Answers", how=how)}, targets=["1"]).failure
    assert failure is not None
    assert says in failure.message
    assert failure.node == "1"


@pytest.mark.parametrize(("how", "value"), [("bare", 7), ("list", 7), ("dict", {"samples": 7})])
def test_a_forgotten_tuple_is_one_value(bench: Bench, how: str, value: object) -> None:
    assert bench.value("V1Only", {"how": how}) == [value]


@pytest.mark.parametrize(
    ("how", "items"),
    [("range", [0, 1]), ("text", ["ab"]), ("number", [5]), ("blocker", [1, Blocked("second")])],
)
def test_a_list_output_takes_whatever_has_items(bench: Bench, how: str, items: list[object]) -> None:
    assert bench.value("V1OddList", {"how": how}) == items


def test_output_nodes_may_say_nothing(bench: Bench) -> None:
    shown = {}
    for how in ("none", "empty", "nothing", "ui"):
        shown[how] = bench.run({"1": node("V1Quiet", how=how)}).check().ui.get("1")
    assert shown == {"none": None, "empty": None, "nothing": None, "ui": {"text": ["one word"], "rows": [1, 2]}}


def test_a_blocker_with_a_message_is_told_at_the_output_and_the_run_goes_on(bench: Bench) -> None:
    prompt = {
        "1": node("V1Answers", how="member"),
        "a": node("V1Show", value=["1", 0]),
        "b": node("V1Show", value=["1", 1]),
        "2": node("V1Answers", how="silent"),
        "c": node("V1Show", value=["2", 0]),
    }
    outcome = bench.run(prompt).check()
    assert outcome.ui == {"a": {"text": ["1"]}}
    (told,) = bench.of(Failed)
    assert (told.node, told.exception_type, told.message) == (
        "b",
        "ExecutionBlocked",
        "Execution Blocked: not the text",
    )
    assert told.blocked
    assert not told.traceback


def test_lists_go_out_item_by_item_and_come_in_together(bench: Bench) -> None:
    prompt = {
        "1": node("V1List", value=1),
        "2": node("V1Static", value=["1", 0]),
        "3": node("V1Gather", value=["2", 0]),
        "4": node("V1Where", value=["1", 0]),
    }
    values = bench.run(prompt, targets=["2", "3", "4"]).check().values
    assert values["2"] == ([2, 3, 4],)
    assert values["3"] == (["[2, 3, 4] ['3']"],)
    assert values["4"] == (["4/0", "4/1", "4/2"],)


def test_hidden_inputs_come_from_the_prompt_and_what_was_sent_along(bench: Bench) -> None:
    extra = {"auth_token_comfy_org": "T", "api_key_comfy_org": "K", "comfy_usage_source": "S"}
    work = Work("p1", "c1", {}, extra)
    prompt = {"7": node("V1Hidden")}
    outcome = bench.run(prompt, targets=["7"], extra={"workflow": "W"}, work=work).check()
    assert outcome.values["7"] == (["7 W T K S not given"],)
    prompt = {"8": node("V1Hidden")}  # another: nothing of this counts for the cache
    assert bench.run(prompt, targets=["8"]).check().values["8"] == (["8 None None None None not given"],)


def test_an_exception_shows_the_authors_file_and_line_first(bench: Bench) -> None:
    failure = bench.run({"1": node("V1Only", how="unknown")}, targets=["1"]).failure
    assert failure is not None
    assert failure.exception_type == "KeyError"
    frames = [line for line in failure.traceback if line.lstrip().startswith("File")]
    lines = (PACK / "callings.py").read_text(encoding="utf-8").splitlines()
    line = next(i for i, text in enumerate(lines, 1) if '"bare": 7' in text)
    assert frames == [f'  File "{PACK / "callings.py"}", line {line}, in run\n']
    assert failure.inputs == {"how": ["unknown"]}


class Leaves:
    """Goes wrong in ways that must not take anybody along."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> Any:
        return {"required": {}}

    def run(self) -> Any:
        sys.exit(3)


class LeavesLater(Leaves):
    async def run(self) -> Any:
        raise GeneratorExit("oddly")


class LeavesBetween(Leaves):
    def run(self) -> Any:
        yield (1,)
        sys.exit(3)


@pytest.mark.parametrize("cls", [Leaves, LeavesLater, LeavesBetween])
def test_the_end_of_the_program_is_told_by_the_authors_lines_alone(bench: Bench, cls: type) -> None:
    bench.add(cls)
    failure = bench.run({"1": node(cls.__name__)}, targets=["1"]).failure
    assert failure is not None
    frames = [line for line in failure.traceback if line.lstrip().startswith("File")]
    assert len(frames) == 1
    assert frames[0].startswith(f'  File "{__file__}"')
    assert frames[0].endswith(", in run\n")
    assert not any("SystemExit" in line for line in failure.traceback)


class Misnamed(Leaves):
    FUNCTION = "walk"


class Fewer(Leaves):
    def run(self, needed: int) -> Any:
        return (needed,)


class Broken(Leaves):
    @property
    def run(self) -> Any:
        return self.absent


def test_a_function_that_is_not_there_or_takes_other_inputs_is_told_without_our_lines(bench: Bench) -> None:
    for cls in (Misnamed, Fewer, Broken):
        bench.add(cls)
    told = {}
    for cls in (Misnamed, Fewer, Broken):
        told[cls] = bench.run({"1": node(cls.__name__)}, targets=["1"]).failure
    misnamed, fewer, broken = told.values()
    assert misnamed is not None
    assert fewer is not None
    assert broken is not None
    assert "FUNCTION is 'walk', but class Misnamed has no such function" in misnamed.message
    assert not misnamed.traceback
    assert "Fewer.run() missing 1 required positional argument: 'needed'" in fewer.message
    assert not any("File" in line for line in fewer.traceback)
    assert "'Broken' object has no attribute 'absent'" in broken.message
    assert sum(line.lstrip().startswith("File") for line in broken.traceback) == 1


def test_an_input_changed_in_place_and_a_mutable_default_are_the_authors_business(bench: Bench) -> None:
    prompt = {"1": node("V1Box", value=2), "2": node("V1Keeper", box=["1", 0]), "3": node("V1Show", value=["2", 0])}
    assert bench.run(prompt).check().ui["3"]["text"] == ["1 ['new', 'new', 'touched']"]
    prompt["1"]["inputs"]["value"] = 1
    assert bench.run(prompt).check().ui["3"]["text"] == ["2 ['new', 'touched']"]


class Interrupts:
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> Any:
        return {"required": {}}

    def run(self) -> Any:
        raise Cancelled  # comfy.model_management.InterruptProcessingException


class InterruptsLater(Interrupts):
    async def run(self) -> Any:
        raise Cancelled


class InterruptsItself(Interrupts):
    """A generator can be stopped between its steps."""

    def run(self) -> Any:
        while True:
            yield (1,)


@pytest.mark.parametrize("cls", [Interrupts, InterruptsLater, InterruptsItself])
def test_an_interrupt_is_no_error(bench: Bench, cls: type) -> None:
    bench.add(cls)
    looks: list[int] = []

    def is_cancelled() -> bool:
        looks.append(1)
        return cls is InterruptsItself and len(looks) > 5

    outcome = bench.run({"1": node(cls.__name__)}, targets=["1"], is_cancelled=is_cancelled)
    assert (outcome.status, outcome.failure) == ("cancelled", None)
    assert [each.node for each in bench.of(Interrupted)] == ["1"]


class Wire:
    """What goes over our wires, for a kind of value that authors see otherwise."""

    def __init__(self, name: str) -> None:
        self.name = name


class Guest:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire


@enter.register
def _(value: Wire) -> Guest:
    return Guest(value)


@leave.register
def _(value: Guest) -> Wire:
    return value.wire


class Crosses(Interrupts):
    INPUT_IS_LIST = True
    OUTPUT_IS_LIST = (False, True)
    RETURN_TYPES = ("WIRE", "WIRE")

    @classmethod
    def INPUT_TYPES(cls) -> Any:
        return {"required": {"value": ("WIRE",)}}

    def run(self, value: Any) -> Any:
        assert all(isinstance(each, Guest) for each in value)
        return (value[0], value[::-1])


class Crosses1(Crosses):
    INPUT_IS_LIST = False
    OUTPUT_IS_LIST = ()

    def run(self, value: Any) -> Any:
        assert isinstance(value, Guest)
        graph = {"x": {"class_type": "Plainly", "inputs": {"value": value}}}
        return {"result": (value, ["x", 0]), "expand": graph, "ui": {"seen": [1]}}


def test_values_change_clothes_on_the_way_in_and_out_item_by_item(bench: Bench) -> None:
    wires = [Wire("a"), Wire("b")]
    got: list[object] = []

    def plainly(value: object) -> object:
        got.append(value)
        return value

    out = (Output("WIRE", "WIRE"),)
    bench.host.registry.put(NodeType("Makes", lambda: (wires,), outputs=(Output("WIRE", "WIRE", is_list=True),)))
    bench.host.registry.put(NodeType("Plainly", plainly, (Input("value", "WIRE"),), out))
    bench.add(Crosses)
    bench.add(Crosses1)
    prompt = {"1": node("Makes"), "2": node("Crosses", value=["1", 0]), "3": node("Crosses1", value=["1", 0])}
    values = bench.run(prompt, targets=["2", "3"]).check().values
    assert values["2"] == ([wires[0]], wires[::-1])
    assert values["3"] == (wires, wires)
    assert got == wires  # a value inside an expanded graph has crossed too: our own nodes take it


def test_tensors_cross_as_they_are(bench: Bench) -> None:
    picture = torch.rand(1, 4, 4, 3)
    bench.host.registry.put(NodeType("Makes", lambda: picture, outputs=(Output("IMAGE", "IMAGE"),)))
    prompt = {"1": node("Makes"), "2": node("V1AnyIn", value=["1", 0])}
    assert bench.run(prompt, targets=["2"]).check().values["2"][0][0] is picture


def test_progress_of_an_authors_own_reaches_the_client(bench: Bench) -> None:
    from comfy_execution.progress import get_progress_state

    from engine.graph.events import Progress

    class Slow(Interrupts):
        def run(self) -> Any:
            state = get_progress_state()
            state.start_progress("1")
            state.update_progress("1", 2, 4)
            assert state.nodes["1"]["value"] == 2
            assert get_progress_state() is state
            assert state.prompt_id == "p1"
            state.finish_progress("1")
            return (state.nodes["1"]["value"],)

    bench.add(Slow)
    assert bench.value("Slow") == [4]
    assert bench.of(Progress) == [Progress("1", 2, 4)]


def test_the_border_costs_microseconds(bench: Bench) -> None:
    """Measured 2026-11-22: 9 µs per node on the build machine; the bound leaves room for a busy one."""

    class Add(Interrupts):
        @classmethod
        def INPUT_TYPES(cls) -> Any:
            return {"required": {"a": ("INT", {}), "b": ("INT", {})}}

        def run(self, a: int, b: int) -> Any:
            return (a + b,)

    bench.add(Add)
    ours = NodeType("Ours", lambda a, b: a + b, bench.host.registry["Add"].inputs, (Output("INT", "INT"),))
    types = Registry([bench.host.registry["Add"], ours])

    def cost(id: str, size: int = 1000) -> float:
        chain = {str(i): node(id, a=[str(i - 1), 0] if i else 0, b=1) for i in range(size)}
        prompt = Prompt.from_json(chain)
        best = float("inf")
        for _ in range(5):
            executor = Executor(types)
            gc.collect()
            began = time.process_time()
            executor.execute(prompt, targets=[str(size - 1)]).check()
            best = min(best, time.process_time() - began)
        return best / size

    assert cost("Add") - cost("Ours") < 50e-6


class Middle(Interrupts):
    HAS_INTERMEDIATE_OUTPUT = True

    def run(self) -> Any:
        return {"ui": {"text": ["seen"]}, "result": (1,)}


class Quiet(Middle):
    HAS_INTERMEDIATE_OUTPUT = False


@pytest.mark.parametrize(("cls", "shown"), [(Middle, {"text": ["seen"]}), (Quiet, None)])
def test_what_was_shown_in_the_middle_is_shown_again_where_its_author_wants_it(
    bench: Bench, cls: type, shown: object
) -> None:
    bench.add(cls)
    prompt = {"1": node(cls.__name__), "2": node("V1Static", value=["1", 0]), "3": node("V1Show", value=["2", 0])}
    assert bench.run(prompt).check().ui["1"] == {"text": ["seen"]}
    again = bench.run(prompt).check()
    assert again.executed == ()
    assert again.ui.get("1") == shown
