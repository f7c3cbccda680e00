import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch

from compat.host import Host
from engine.errors import NodeFailed, NodeTypeError
from engine.graph.describe import describe, read, snapshot
from engine.graph.events import Preview, Progress

Run = Callable[..., Any]
Problems = Callable[..., list[tuple[str | None, str]]]


def shade(**given: Any) -> tuple[str, dict[str, Any]]:
    return "V3Shade", {"size": 4, "grey": 0.25, "mode": "light", **given}


def test_a_v3_node_runs_between_built_in_ones(pack: ModuleType, run: Run) -> None:
    graph = {
        "1": ("EmptyImage", {"width": 4, "height": 4, "batch_size": 1, "color": 0}),
        "2": ("V3Slow", {"image": ["1", 0]}),
        "3": ("ImageInvert", {"image": ["2", 0]}),
    }
    outcome = run(graph, ["2", "3"]).check()
    assert torch.equal(outcome.values["2"][0][0], torch.ones(1, 4, 4, 3))
    assert torch.equal(outcome.values["3"][0][0], torch.zeros(1, 4, 4, 3))


def test_widgets_reach_execute_and_what_is_not_given_keeps_its_default(pack: ModuleType, run: Run) -> None:
    outcome = run({"1": shade(), "2": shade(mode="dark", twice=True)}, ["1", "2"]).check()
    assert outcome.values["1"][1] == [0.25]
    picture, level = outcome.values["2"]
    assert picture[0].shape == (2, 4, 4, 3)
    assert level == [0.75]


def test_hidden_values_are_at_the_class_and_not_among_the_inputs(pack: ModuleType, run: Run) -> None:
    outcome = run({"7": ("V3Who", {"prompt": "mine"})}, extra={"workflow": {"a": 1}}).check()
    assert outcome.ui["7"]["text"] == ["mine|7|['7']|{'workflow': {'a': 1}}|None"]


def test_a_class_cannot_be_written_to_while_it_runs(pack: ModuleType, run: Run) -> None:
    with pytest.raises(NodeFailed, match=r"Stateful\.count cannot be set while the node runs"):
        run({"1": ("V3Stateful", {})}, ["1"]).check()
    assert not hasattr(pack.Stateful, "count")


def test_only_the_lazy_input_that_is_needed_is_computed(pack: ModuleType, run: Run) -> None:
    graph = {
        "a": shade(),
        "b": shade(grey=0.75),
        "1": ("V3Careful", {"left": False, "limit": 1, "a": ["a", 1], "b": ["b", 1]}),
    }
    outcome = run(graph, ["1"]).check()
    assert outcome.values["1"][0] == [0.75]
    assert list(outcome.executed) == ["b", "1"]


def test_an_authors_check_replaces_the_range_of_what_it_takes(pack: ModuleType, problems: Problems) -> None:
    show = ("V3Show", {"value": ["1", 0], "how": "text"})

    def limited(limit: int) -> list[tuple[str | None, str]]:
        return problems({"1": ("V3Careful", {"left": True, "limit": limit}), "2": show})

    assert limited(11) == []
    assert limited(13) == [("limit", "custom_validation_failed")]


def test_a_node_runs_again_when_its_fingerprint_changes(pack: ModuleType, run: Run) -> None:
    graph = {"1": ("V3Careful", {"left": True, "limit": 1, "a": ["2", 1]}), "2": shade()}
    for file, ran in ((0, ["2", "1"]), (0, []), (5, ["1"])):
        pack.Careful.file = file
        assert list(run(graph, ["1"]).check().executed) == ran
    pack.Careful.file = 0


def test_progress_and_previews_are_the_nodes(pack: ModuleType, run: Run) -> None:
    events: list[Any] = []
    graph = {"1": shade(), "2": ("V3Slow", {"image": ["1", 0]})}
    outcome = run(graph, ["2"], emit=events.append).check()
    assert torch.equal(outcome.values["2"][0][0], torch.full((1, 4, 4, 3), 0.75))
    assert [each for each in events if isinstance(each, Progress)] == [Progress("2", 1, 2)]
    (shown,) = [each for each in events if isinstance(each, Preview)]
    assert (shown.node, shown.data[:3]) == ("2", b"\xff\xd8\xff")


def test_custom_types_and_inputs_of_several_types(pack: ModuleType, run: Run, problems: Problems) -> None:
    def graph(first: Any) -> Any:
        pair = {"pair": ["2", 0]}
        return {
            "n": ("V3Numbers", {}),
            "s": shade(),
            "2": ("V3Pairing", {"first": first, "second": 3}),
            "3": ("V3Unpair", pair),
            "4": ("V3Show", {"value": ["3", 0], "how": "text"}),
        }

    outcome = run(graph(["s", 1]), ["3"]).check()
    assert outcome.values["3"] == ([0.25], [3])
    assert run(graph(2.5), ["3"]).check().values["3"] == ([2.5], [3])
    assert problems(graph(["n", 0])) == []
    assert problems(graph(["s", 0])) == [("first", "return_type_mismatch")]
    broken = graph(1.0) | {"3": ("V3Unpair", {"pair": ["s", 1]})}
    assert problems(broken) == [("pair", "return_type_mismatch")]


def test_groups_that_grow_come_as_dicts(pack: ModuleType, run: Run, problems: Problems) -> None:
    show = {"2": ("V3Show", {"value": ["1", 1], "how": "text"}), "s": shade()}
    given = {"terms.t0": 1.0, "terms.t1": ["s", 1], "terms.t4": 2}
    outcome = run({"1": ("V3Sum", given), **show}).check()
    assert outcome.ui["2"]["text"] == ["{'t0': 1.0, 't1': 0.25, 't4': 2.0} None"]
    named = run({"1": ("V3Sum", {**given, "named.y": 5.0}), **show}).check()
    assert named.ui["2"]["text"][0].endswith("{'y': 5.0}")
    assert problems({"1": ("V3Sum", {"terms.t0": 1.0}), **show}) == [("terms.t1", "required_input_missing")]
    assert problems({"1": ("V3Sum", {**given, "terms.t5": 1.0}), **show}) == [("terms.t5", "invalid_dynamic_input")]
    assert problems({"1": ("V3Sum", {**given, "named.z": 1.0}), **show}) == [("named.z", "invalid_dynamic_input")]


def test_a_choice_comes_with_its_inputs(pack: ModuleType, run: Run, problems: Problems) -> None:
    def graph(**how: Any) -> Any:
        given = {name.replace("__", "."): value for name, value in how.items()}
        return {
            "s": shade(),
            "1": ("V3Resize", {"image": ["s", 0], **given}),
            "2": ("V3Show", {"value": ["1", 1], "how": "text"}),
        }

    doubled = run(graph(how="by factor", how__factor=2), ["1"]).check().values["1"]
    assert doubled[0][0].shape == (1, 8, 8, 3)
    sized = run(graph(how="to size", how__width=3, how__height=5)).check()
    assert sized.ui["2"]["text"] == ["{'how': 'to size', 'width': 3, 'height': 5}"]
    assert run(graph(how="not")).check().ui["2"]["text"] == ["{'how': 'not'}"]
    assert problems(graph(how="by magic")) == [("how", "invalid_dynamic_input")]
    assert problems(graph(how="to size", how__width=0, how__height=5)) == []  # its author checks it
    assert {kind for _, kind in problems(graph(how="to size", how__width=7, how__height=5))} == {
        "custom_validation_failed"
    }
    assert problems(graph(how="to size", how__height=5)) == [("how.width", "required_input_missing")]


def test_matching_inputs_take_what_their_template_allows(pack: ModuleType, run: Run, problems: Problems) -> None:
    graph = {
        "s": shade(),
        "m": ("V3Opaque", {"image": ["s", 0]}),
        "1": ("V3Either", {"first": True, "one": ["s", 0], "other": ["s", 0]}),
        "2": ("PreviewImage", {"images": ["1", 0]}),
    }
    assert "2" in run(graph).check().ui
    masks = {**graph, "1": ("V3Either", {"first": True, "one": ["m", 0], "other": ["m", 0]})}
    assert problems(masks) == []
    texts = {**graph, "1": ("V3Either", {"first": True, "one": ["s", 1], "other": ["s", 0]})}
    assert problems(texts) == [("one", "return_type_mismatch")]


def test_lists_travel_in_and_out(pack: ModuleType, run: Run) -> None:
    graph = {
        "1": ("V3Numbers", {}),
        "2": ("V3Many", {"n": ["1", 0], "times": 2}),
        "3": ("V3Pairing", {"first": 1.0, "second": ["2", 0]}),
    }
    outcome = run(graph, ["2", "3"]).check()
    assert outcome.values["2"] == ([1, 2, 3, 1, 2, 3], [3])
    assert outcome.values["3"][0] == [(1.0, n) for n in (1, 2, 3, 1, 2, 3)]


def test_a_node_may_put_a_graph_in_its_place(pack: ModuleType, run: Run, add: Callable[..., None]) -> None:
    graph = {"1": shade(), "2": ("V3Grow", {"image": ["1", 0]}), "3": ("V3Grow", {"image": ["2", 0]})}
    outcome = run(graph, ["2", "3"]).check()
    assert torch.equal(outcome.values["2"][0][0], torch.full((1, 4, 4, 3), 0.75))
    assert torch.equal(outcome.values["3"][0][0], torch.full((1, 4, 4, 3), 0.25))
    assert "2.0.0.1" in outcome.executed

    class Unasked(pack.Grow):
        @classmethod
        def define_schema(cls) -> Any:
            schema = super().define_schema()
            schema.node_id, schema.enable_expand = "Unasked", False
            return schema

    add(Unasked)
    with pytest.raises(NodeFailed, match="enable_expand=True"):
        run({"1": shade(), "2": ("Unasked", {"image": ["1", 0]})}, ["2"]).check()


@pytest.mark.parametrize(("how", "shown"), [("open", True), ("message", False), ("blocker", False), ("dict", True)])
def test_what_execute_returns_goes_on_or_not(pack: ModuleType, run: Run, how: str, shown: bool) -> None:
    graph = {"1": ("V3Gate", {"how": how}), "2": ("PreviewImage", {"images": ["1", 0]})}
    outcome = run(graph).check()
    assert ("2" in outcome.ui) is shown
    assert ("1" in outcome.ui) is (how == "dict")
    (number,) = run(graph, ["1"]).check().values["1"][1]
    if how != "message":
        assert number == {"open": 2, "blocker": 3, "dict": 4}[how]


def test_a_raw_link_and_results_that_are_no_twins(pack: ModuleType, run: Run) -> None:
    graph = {"1": shade(), "2": ("V3Raw", {"link": ["1", 1]}), "3": ("V3Raw", {"link": ["1", 1]})}
    outcome = run(graph, ["2", "3"]).check()
    assert outcome.values["2"][0] == ["['1', 1]"]
    assert pack.seen.count("raw") == 2


def test_inputs_nobody_declared_are_taken_where_the_schema_says_so(pack: ModuleType, run: Run) -> None:
    graph = {"1": shade(), "2": ("V3Anything", {"x": 3, "y": ["1", 1]})}
    assert run(graph, ["2"]).check().values["2"][0] == ["[('x', 3), ('y', 0.25)]"]


def test_a_list_of_files_is_read_anew(host: Host, add: Callable[..., None], problems: Problems) -> None:
    from comfy_api.latest import io

    files = ["a.png"]

    class Files(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema("Files", inputs=[io.Combo.Input("file", options=files)], is_output_node=True)

        @classmethod
        def execute(cls, file: str) -> None:
            return None

    add(Files)
    graph = {"1": ("Files", {"file": "b.png"})}
    assert problems(graph) == [("file", "value_not_in_list")]
    files.append("b.png")
    assert problems(graph) == []


def test_the_server_reads_the_files_of_a_folder_itself(host: Host, add: Callable[..., None]) -> None:
    import folder_paths
    from comfy_api.latest import io

    class Loads(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            names = folder_paths.get_filename_list("embeddings")
            return io.Schema("Loads", inputs=[io.Combo.Input("name", options=names)], is_output_node=True)

        @classmethod
        def execute(cls, name: str) -> None:
            return None

    folder = host.folders.folders("embeddings")[0]
    add(Loads)
    there = read(json.loads(json.dumps(snapshot(host.registry["Loads"]))), host.folders)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / "new.pt").write_bytes(b"")
        for each in (there, host.registry["Loads"]):
            kind, options = describe(each)["input"]["required"]["name"]
            assert (kind, "new.pt" in options["options"]) == ("COMBO", True)
            assert "new.pt" in each.inputs[0].current_choices()
    finally:
        (folder / "new.pt").unlink()


def test_what_is_no_result_is_refused_by_name(add: Callable[..., None], run: Run, host: Host) -> None:
    from comfy_api.latest import io

    class Wrong(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema("Wrong", outputs=[io.Int.Output()])

        @classmethod
        def execute(cls) -> Any:
            return 5

    add(Wrong)
    with pytest.raises(NodeFailed, match=r"Wrong\.execute returned a int; it must be an io\.NodeOutput"):
        run({"1": ("Wrong", {})}, ["1"]).check()


def test_a_schema_that_contradicts_itself_is_refused_with_its_class(host: Host) -> None:
    from comfy_api.latest import io

    from compat.v3.adapter import node_type

    class Twice(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema("Twice", inputs=[io.Int.Input("a")], outputs=[io.Int.Output("a")])

    with pytest.raises(NodeTypeError, match=r"Twice: its schema cannot be read: Twice: .*\['a'\] come twice"):
        node_type(Twice, "m")
