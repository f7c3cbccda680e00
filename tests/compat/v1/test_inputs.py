"""INPUT_TYPES in every spelling: what clients are shown, and what the API reads back."""

import json
from pathlib import Path

import pytest

from compat.host import Host
from compat.v1.adapter import node_type
from engine.errors import NodeTypeError
from engine.graph.describe import describe, object_info, read, snapshot
from engine.graph.marks import FileChoices
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.sockets import Undecided
from engine.graph.validate import validate
from tests.compat.v1.conftest import Bench

SHIPPED = ["latentwire_icons_inpainting.safetensors", "latentwire_icons_sticker.safetensors"]


def test_object_info_shows_input_types_as_the_author_wrote_them(bench: Bench) -> None:
    info = bench.info("V1Everything")
    required = info["input"]["required"]
    assert required["image"] == ["IMAGE"]
    assert required["count"] == ["INT", {"default": 1, "min": 0, "max": 10, "step": 1, "display": "slider"}]
    assert required["scale"] == ["FLOAT", {"default": 1.0, "round": False}]  # JSON has no word for infinity
    assert required["old"] == [["a", "b"], {"default": "b"}]
    assert required["bare_old"] == [["x", "y"]]
    assert required["new"] == ["COMBO", {"options": ["p", "q"], "default": "q"}]
    assert required["either"] == ["INT,FLOAT", {"forceInput": True}]
    assert required["own"] == ["MY_TYPE", {"anything": ["goes"], "tooltip": "mine"}]
    assert required["lora"] == [["None", *SHIPPED, "tiny.safetensors", "More"]]
    assert info["input"]["optional"] == {"mask": ["MASK"], "colour": ["COLOR", {"default": "#ffffff"}]}
    assert info["input"]["hidden"] == {"me": "UNIQUE_ID", "graph": "PROMPT", "spare": "STRING"}
    assert info["input_order"] == {name: list(section) for name, section in info["input"].items()}
    assert info["input_order"]["required"] == list(bench.cls("V1Everything").INPUT_TYPES()["required"])


def test_object_info_shows_every_other_member(bench: Bench) -> None:
    info = bench.info("V1Everything")
    shown = {name: value for name, value in info.items() if not name.startswith("input")}
    assert shown == {
        "is_input_list": False,
        "output": ["IMAGE", "INT", "LIST_OF_THINGS"],
        "output_is_list": [False, True, False],
        "output_name": ["picture", "INT", "LIST_OF_THINGS"],
        "output_tooltips": ["what is seen", "", ""],
        "name": "V1Everything",
        "display_name": "Everything at once",
        "description": "Shows every kind of input.",
        "python_module": "custom_nodes.v1_pack",
        "category": "v1/shapes",
        "output_node": False,
        "deprecated": True,
        "experimental": True,
        "api_node": True,
        "has_intermediate_output": True,
        "dev_only": True,
        "search_aliases": ["all", "every"],
        "essentials_category": "Basics",
    }
    assert bench.info("V1Slips")["category"] == "sd"
    assert "deprecated" not in bench.info("V1Slips")


def test_forgotten_commas_mean_what_was_meant(bench: Bench) -> None:
    info = bench.info("V1Slips")
    assert (info["output"], info["output_name"]) == (["STRING"], ["words"])
    assert (info["output_is_list"], info["output_tooltips"]) == ([False], ["one"])
    assert info["input"]["required"] == {"text": ["STRING"]}
    assert bench.value("V1Slips", {"text": "ab"}) == ["AB"]


def test_a_combo_of_files_is_read_by_us_and_one_of_the_authors_own_by_him(bench: Bench, host: Host) -> None:
    lora = host.registry["V1Everything"].input("lora")
    assert lora is not None
    assert isinstance(lora.choices, FileChoices)
    assert (lora.choices.before, lora.choices.also) == (("None",), ("More",))
    moving = bench.cls("V1Moving")
    moving.CHOICES = ["before", "after"]
    assert bench.info("V1Moving")["input"]["required"]["choice"] == [["before", "after"]]
    assert bench.check({"1": {"class_type": "V1Moving", "inputs": {"choice": "after"}}}).is_accepted


def test_a_snapshot_gives_the_api_the_same_entry_with_its_files_read_anew(bench: Bench, host: Host) -> None:
    for id in bench.module.NODE_CLASS_MAPPINGS:
        sent = json.loads(json.dumps(snapshot(host.registry[id])))
        assert describe(read(sent, host.folders)) == bench.info(id), id
    sent = json.loads(json.dumps(snapshot(host.registry["V1Everything"])))
    known = read(sent, host.folders)
    folder = Path(host.folders.folders("loras")[0])
    (folder / "another.safetensors").write_bytes(b"")
    try:
        shown = describe(known)["input"]["required"]["lora"][0]
        assert shown == ["None", "another.safetensors", *SHIPPED, "tiny.safetensors", "More"]
    finally:
        (folder / "another.safetensors").unlink()


def _source(id: str, value: object) -> dict[str, object]:
    return {"class_type": id, "inputs": value}


CONST = _source("V1Const", {"number": 1, "text": "t"})


@pytest.mark.parametrize(
    ("id", "slot", "fits"),
    [
        ("V1AnyIn", 0, True),
        ("V1AnyIn", 2, True),
        ("V1Star", 0, False),
        ("V1Number", 0, True),
        ("V1Number", 1, False),
    ],
)
def test_an_authors_own_comparison_decides_what_fits(bench: Bench, host: Host, id: str, slot: int, fits: bool) -> None:
    prompt = {"1": CONST, "2": _source(id, {"value": ["1", slot]}), "3": _source("V1Show", {"value": ["2", 0]})}
    assert bench.check(prompt).is_accepted is fits
    known = Registry(read(json.loads(json.dumps(snapshot(each))), host.folders) for each in host.registry)
    checked = validate(Prompt.from_json(prompt), known)
    is_open = isinstance(known[id].inputs[0].type, Undecided)
    assert checked.is_accepted is (fits or is_open)  # the API lets through what only the worker can tell


def test_what_only_the_author_can_compare_is_asked_when_the_node_runs(bench: Bench, host: Host) -> None:
    from engine.graph.author_checks import asked_elsewhere

    known = Registry(read(json.loads(json.dumps(snapshot(each))), host.folders) for each in host.registry)
    graphs = {}
    for slot in (0, 1):
        graphs[slot] = {
            "1": CONST,
            "2": _source("V1Number", {"value": ["1", slot]}),
            "3": _source("V1Show", {"value": ["2", 0]}),
        }
        prompt = Prompt.from_json(graphs[slot])
        assert asked_elsewhere(prompt, known, set(prompt)) == ("2",)
        outcome = bench.run(graphs[slot], unvalidated=("2",))
        assert outcome.status == ("failed" if slot else "succeeded")
    assert outcome.failure is not None
    assert outcome.failure.message == "input value: a STRING does not fit into a NUMBER; wire it to another output"
    plain = Prompt.from_json({"1": CONST, "2": _source("V1ComboOut", {"number": ["1", 0], "words": ["1", 1]})})
    assert asked_elsewhere(plain, known, set(plain)) == ()  # equal names need no author


def test_inputs_nobody_declared_reach_a_node_that_takes_all(bench: Bench) -> None:
    inputs = {"first": 2, "more": ["2", 1], "on": {"lora": "x", "strength": 1}}
    prompt = {"1": _source("V1Flexible", inputs), "2": CONST, "3": _source("V1Show", {"value": ["1", 0]})}
    assert bench.check(prompt).is_accepted
    assert bench.run(prompt).check().ui["3"]["text"] == [repr(sorted({**inputs, "more": "t"}.items()))]
    prompt["1"]["inputs"]["more"] = ["99", 0]  # type: ignore[index]
    (problem,) = bench.check(prompt).problems
    assert (problem.node, problem.input) == ("1", "more")
    others = {"3": _source("V1Show", {"value": ["2", 0], "undeclared": ["9", 0]}), "2": CONST}
    assert bench.check(others).is_accepted  # ComfyUI: what a class does not declare is ignored


def test_a_class_that_looks_who_asks_for_its_inputs_is_told(bench: Bench) -> None:
    import inspect

    class All:
        def __contains__(self, name: str) -> bool:
            return True

        def __getitem__(self, name: str) -> tuple[str, dict[str, bool]]:
            return name, {"lazy": True}

    class Shy:
        RETURN_TYPES = ("INT",)
        FUNCTION = "run"

        @classmethod
        def INPUT_TYPES(cls) -> object:
            asked = inspect.stack()[2].function == "get_input_info"
            return {"required": {"select": ("INT", {})}, "optional": All() if asked else {"a": ("INT", {"lazy": True})}}

        def check_lazy_status(self, select: int, **kwargs: object) -> list[str]:
            return [f"input{select}"]

        def run(self, select: int, **kwargs: object) -> object:
            return (kwargs[f"input{select}"],)

    bench.add(Shy)
    assert list(bench.info("Shy")["input"]["optional"]) == ["a"]
    linked = {"select": 2, "input1": ["2", 0], "input2": ["3", 0]}
    others = {"2": _source("V1Method", {"value": 1}), "3": _source("V1Static", {"value": 1})}
    assert bench.value("Shy", linked, **others) == [2]
    assert [each.node for each in bench.of(bench_executed())] == ["3", "1"]


def bench_executed() -> type:
    from engine.graph.events import Executed

    return Executed


class Raising:
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> object:
        raise FileNotFoundError("models/mine\nis not there")


class Exiting(Raising):
    @classmethod
    def INPUT_TYPES(cls) -> object:
        raise SystemExit(1)


class Rubbish(Raising):
    @classmethod
    def INPUT_TYPES(cls) -> object:
        return ["image"]


class Typeless(Raising):
    @classmethod
    def INPUT_TYPES(cls) -> object:
        return {"required": {"a": (int, {})}}


class Outputless:
    @classmethod
    def INPUT_TYPES(cls) -> object:
        return {"required": {}}


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (Raising, "FileNotFoundError: models/mine is not there"),
        (Exiting, "SystemExit: 1"),
        (Rubbish, "INPUT_TYPES returned list; expected {'required': {…}, …}"),
        (Typeless, "input a is of type <class 'int'>; expected the name of a type or a list of choices"),
        (Outputless, "it has no RETURN_TYPES; expected a tuple of types, () for none"),
        (object, "it has no INPUT_TYPES"),
        (len, "is builtin_function_or_method and no class"),
    ],
)
def test_a_class_that_cannot_be_described_says_why_in_a_line(host: Host, cls: type, says: str) -> None:
    with pytest.raises(NodeTypeError) as caught:
        node_type(cls, "Broken", python_module="custom_nodes.broken")
    text = str(caught.value)
    assert text.startswith("node 'Broken' (custom_nodes.broken)")
    assert says in text
    assert "\n" not in text


def test_a_class_whose_choices_fail_later_takes_no_other_along(bench: Bench, host: Host) -> None:
    bench.cls("V1Moving").CHOICES = 5  # list(5) raises
    shown = object_info(host.registry)
    assert "V1Moving" not in shown
    assert "V1Everything" in shown


def test_a_hidden_input_of_an_authors_own_kind_is_what_the_prompt_says_or_nothing(bench: Bench) -> None:
    assert bench.value("V1Hidden", {})[0].endswith("not given")
    assert bench.value("V1Hidden", {"spare": "given"})[0].endswith("given")
    assert not bench.value("V1Hidden", {"spare": "given"})[0].endswith("not given")


def test_a_choice_listed_since_the_api_last_heard_is_asked_about(bench: Bench, host: Host) -> None:
    from engine.graph.author_checks import asked_elsewhere

    sent = json.loads(json.dumps(snapshot(host.registry["V1Moving"])))
    known = Registry([read(sent, host.folders)])
    bench.cls("V1Moving").CHOICES = ["before", "after"]
    for choice, asked, status in (("before", (), ""), ("after", ("1",), "succeeded"), ("never", ("1",), "failed")):
        graph = {"1": _source("V1Moving", {"choice": choice})}
        prompt = Prompt.from_json(graph)
        assert validate(prompt, known).is_accepted
        assert asked_elsewhere(prompt, known, {"1"}) == asked
        assert bench.check(graph).is_accepted is (choice != "never")
        if asked:
            assert bench.run(graph, unvalidated=asked).status == status


def test_a_combo_of_uploads_that_its_author_lists_himself_is_read_by_us(bench: Bench, host: Host) -> None:
    class Upload:
        RETURN_TYPES = ()

        @classmethod
        def INPUT_TYPES(cls) -> object:
            folder = Path(host.folders.input)
            files = sorted(each.name for each in folder.iterdir() if each.is_file())
            return {"required": {"image": (files, {"image_upload": True})}}

    (Path(host.folders.input) / "first.png").write_bytes(b"")
    bench.add(Upload)
    known = read(json.loads(json.dumps(snapshot(host.registry["Upload"]))), host.folders)
    (Path(host.folders.input) / "second.png").write_bytes(b"")
    assert describe(known)["input"]["required"]["image"] == [["first.png", "second.png"], {"image_upload": True}]
