"""engine.graph.editor_format against prompts the real editor made, and against each rule by hand."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.errors import PromptError
from engine.graph.describe import read
from engine.graph.editor_format import ancestors, convert, to_api
from engine.graph.nodetype import NodeType

DATA = Path(__file__).parents[2] / "data"
PAIRS = sorted((DATA / "workflow_pairs").glob("*.json"))


def core_types() -> dict[str, NodeType]:
    """ComfyUI 0.3.64's core nodes."""
    specs = json.loads(gzip.decompress((DATA / "node_specs.json.gz").read_bytes()))
    return {name: read(_entry(name, spec)) for name, spec in specs.items()}


def _entry(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "input": spec["inputs"],
        "input_order": spec["input_order"],
        "output": spec["outputs"],
        "output_name": spec["output_names"],
        "output_is_list": spec["output_is_list"],
        "output_node": spec["output_node"],
    }


TYPES = core_types()

UPLOAD_BUTTONS = {"upload", "choose file to upload"}
"""Buttons of LoadImage that the editor sent as inputs in some years; no node takes them."""

NEWER_INPUTS = {
    ("CLIPLoader", "device"),
    ("CLIPVisionEncode", "crop"),
    ("DifferentialDiffusion", "strength"),
    ("DualCLIPLoader", "device"),
    ("SDTurboScheduler", "denoise"),
    ("StyleModelApply", "strength"),
    ("StyleModelApply", "strength_type"),
    ("VAEDecodeTiled", "temporal_overlap"),
    ("VAEDecodeTiled", "temporal_size"),
    ("VAEEncodeForInpaint", "grow_mask_by"),
}
"""(node type, input): added to the node after the file was saved; we send the default, the editor of then nothing."""

RENAMED = {
    "stable_cascade_stable_cascade_inpaint_controlnet.json": {
        "60": "68:5",
        "61": "68:3",
        "62": "68:0",
        "64": "68:2",
        "66": "68:1",
    }
}
"""Ids the editor of early 2024 gave a group node's inner nodes (those they had before they were grouped)."""


def expected(pair: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """The prompt of a pair, without buttons, under our ids."""

    def renamed(value: Any) -> Any:
        return [names.get(value[0], value[0]), value[1]] if isinstance(value, list) else value

    return {
        names.get(node_id, node_id): (
            node["class_type"],
            {name: renamed(value) for name, value in node["inputs"].items() if name not in UPLOAD_BUTTONS},
        )
        for node_id, node in pair["prompt"].items()
    }


def test_there_are_64_pairs() -> None:
    assert len(PAIRS) == 64


@pytest.mark.parametrize("file", PAIRS, ids=lambda file: file.stem)
def test_a_workflow_becomes_the_prompt_the_editor_made_of_it(file: Path) -> None:
    pair = json.loads(file.read_bytes())
    wanted = expected(pair, RENAMED.get(file.name, {}))
    converted = convert(pair["workflow"], TYPES)
    made = {node_id: (node["class_type"], dict(node["inputs"])) for node_id, node in converted.prompt.items()}
    for node_id, (class_type, inputs) in made.items():
        for name in [*inputs]:
            if (class_type, name) in NEWER_INPUTS and name not in wanted.get(node_id, ("", {}))[1]:
                node_type = TYPES[class_type].input(name)
                assert node_type is not None
                assert inputs.pop(name) in (node_type.options.get("default"), *node_type.current_choices()[:1])
    assert made == wanted
    assert converted.notes == ()


def test_every_exception_is_one() -> None:
    met, renamed = set[tuple[str, str]](), set[str]()
    for file in PAIRS:
        pair = json.loads(file.read_bytes())
        made, wanted = to_api(pair["workflow"], TYPES), pair["prompt"]
        if made.keys() != wanted.keys():
            renamed.add(file.name)
        for node_id in made.keys() & wanted.keys():
            more = made[node_id]["inputs"].keys() - wanted[node_id]["inputs"].keys()
            met |= {(made[node_id]["class_type"], name) for name in more}
    assert met == NEWER_INPUTS
    assert renamed == set(RENAMED)


# By hand: each rule once, on graphs small enough to see through.


def node(node_id: int | str, node_type: str, values: object = None, **rest: Any) -> dict[str, Any]:
    """A drawn node; `wires` gives its inputs as {name: link id} or {name: (type, link id)}."""
    wires = rest.pop("wires", {})
    inputs = []
    for name, wire in wires.items():
        kind, link = wire if isinstance(wire, tuple) else ("*", wire)
        is_widget = kind in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
        inputs.append({"name": name, "type": kind, "link": link, **({"widget": {"name": name}} if is_widget else {})})
    outputs = [{"name": kind, "type": kind, "links": []} for kind in rest.pop("gives", [])]
    extra = {} if values is None else {"widgets_values": values}
    return {"id": node_id, "type": node_type, "mode": 0, "inputs": inputs, "outputs": outputs, **extra, **rest}


def link(link_id: int, origin: int, slot: int, target: int, place: int = 0) -> list[Any]:
    return [link_id, origin, slot, target, place, "*"]


def workflow(nodes: list[Any], links: list[Any], *definitions: dict[str, Any], **extra: Any) -> dict[str, Any]:
    return {
        "nodes": nodes,
        "links": links,
        "definitions": {"subgraphs": [*definitions]},
        "extra": extra,
        "version": 0.4,
    }


def inputs(drawn: Mapping[str, Any], **options: Any) -> dict[str, dict[str, Any]]:
    return {node_id: entry["inputs"] for node_id, entry in to_api(drawn, TYPES, **options).items()}


LOADER = node(1, "CheckpointLoaderSimple", ["a.ckpt"], gives=["MODEL", "CLIP", "VAE"])


def text(node_id: int, clip: int, words: str = "cat", **rest: Any) -> dict[str, Any]:
    return node(node_id, "CLIPTextEncode", [words], wires={"clip": ("CLIP", clip)}, gives=["CONDITIONING"], **rest)


def test_reroutes_in_a_row_are_seen_through_and_a_ring_of_them_ends() -> None:
    reroutes = [node(2, "Reroute", wires={"": 1}, gives=["*"]), node(3, "Reroute", wires={"": 2}, gives=["*"])]
    links = [link(1, 1, 1, 2), link(2, 2, 0, 3), link(3, 3, 0, 4)]
    assert inputs(workflow([LOADER, *reroutes, text(4, 3)], links))["4"]["clip"] == ["1", 1]
    ring = [link(1, 3, 0, 2), *links[1:]]
    assert inputs(workflow([LOADER, *reroutes, text(4, 3)], ring))["4"] == {"text": "cat"}


def test_ten_thousand_reroutes_are_no_trouble() -> None:
    count = 10_000
    reroutes = [node(n, "Reroute", wires={"": n}, gives=["*"]) for n in range(2, count)]
    links = [link(n, 1 if n == 2 else n - 1, 1 if n == 2 else 0, n) for n in range(2, count + 1)]
    assert inputs(workflow([LOADER, *reroutes, text(count, count)], links))[str(count)]["clip"] == ["1", 1]


def test_a_primitive_gives_its_value_to_every_input_it_is_wired_to() -> None:
    primitive = node(2, "PrimitiveNode", [640, "fixed"], gives=["INT"])
    sizes = node(3, "EmptyLatentImage", [1, 2, 3], wires={"width": ("INT", 1), "height": ("INT", 2)})
    drawn = workflow([primitive, sizes], [link(1, 2, 0, 3), link(2, 2, 0, 3, 1)])
    assert inputs(drawn) == {"3": {"width": 640, "height": 640, "batch_size": 3}}


def test_notes_and_muted_nodes_are_not_sent_and_inputs_fed_by_muted_ones_are_deleted() -> None:
    muted = node(2, "PrimitiveInt", [5, "fixed"], gives=["INT"], mode=2)
    notes = [node(8, "Note", ["x"]), node(9, "MarkdownNote", ["y"])]
    sizes = node(3, "EmptyLatentImage", [1, 2, 3], wires={"width": ("INT", 1)})
    assert inputs(workflow([muted, sizes, *notes], [link(1, 2, 0, 3)])) == {"3": {"height": 2, "batch_size": 3}}


def test_a_bypassed_node_passes_on_what_has_the_wanted_type() -> None:
    lora = node(
        2,
        "LoraLoader",
        ["l", 1, 1],
        wires={"model": ("MODEL", 1), "clip": ("CLIP", 2)},
        gives=["MODEL", "CLIP"],
        mode=4,
    )
    links = [link(1, 1, 0, 2), link(2, 1, 1, 2, 1), link(3, 2, 1, 3)]
    assert inputs(workflow([LOADER, lora, text(3, 3)], links))["3"]["clip"] == ["1", 1]


def test_a_bypassed_node_that_has_nothing_of_the_wanted_type_breaks_the_path() -> None:
    wires = {"samples": ("LATENT", 1), "vae": ("VAE", 2)}
    nodes = [
        node(1, "EmptyLatentImage", [8, 8, 1], gives=["LATENT"]),
        node(2, "VAEDecode", wires=wires, gives=["IMAGE"], mode=4),
        node(3, "SaveImage", ["p"], wires={"images": ("IMAGE", 3)}),
    ]
    links = [link(1, 1, 0, 2), link(3, 2, 0, 3)]
    assert inputs(workflow(nodes, links))["3"] == {"filename_prefix": "p"}


def test_a_bypassed_node_asked_for_anything_gives_its_input_of_the_same_place() -> None:
    two = node(2, "Two", wires={"a": ("A", 1), "b": ("B", 2)}, gives=["X", "Y"], mode=4)
    end = node(3, "PreviewAny", wires={"source": ("*", 3)})
    nodes = [LOADER, two, end]
    links = [link(1, 1, 0, 2), link(2, 1, 1, 2), link(3, 2, 1, 3)]
    assert inputs(workflow(nodes, links))["3"]["source"] == ["1", 1]


def test_links_are_read_as_objects_as_lists_with_text_and_with_holes() -> None:
    as_objects = [{"id": 3, "origin_id": 1, "origin_slot": 1, "target_id": 2, "target_slot": 0, "type": "CLIP"}]
    for links in (as_objects, [None, ["3", "1", "1", 2, 0, "CLIP"]], {"3": as_objects[0]}, [[3, 1, 1, 2, 99, "CLIP"]]):
        assert inputs({"nodes": [LOADER, text(2, 3)], "links": links})["2"]["clip"] == ["1", 1]


def test_a_wire_that_is_missing_or_leads_nowhere_leaves_the_typed_value() -> None:
    sizes = node(3, "EmptyLatentImage", [1, 2, 3], wires={"width": ("INT", 1), "height": ("INT", 7)})
    assert inputs(workflow([sizes], [link(1, 99, 0, 3)])) == {"3": {"width": 1, "height": 2, "batch_size": 3}}


def test_waypoints_groups_and_floating_wires_say_nothing() -> None:
    drawn = workflow([LOADER, text(2, 3)], [link(3, 1, 1, 2)], reroutes=[{"id": 1}], linkExtensions=[{"id": 3}])
    drawn |= {"groups": [{"title": "g"}], "floatingLinks": [{"id": 9, "origin_id": 1}], "reroutes": [{"id": 5}]}
    assert inputs(drawn)["2"]["clip"] == ["1", 1]


def test_get_and_set_nodes_are_joined_by_their_name_also_out_of_a_subgraph() -> None:
    setter = node(2, "SetNode", ["the clip"], wires={"CLIP": ("CLIP", 1)}, gives=["*"])
    getter = node(3, "GetNode", ["the clip"], gives=["CLIP"])
    links = [link(1, 1, 1, 2), link(2, 3, 0, 4)]
    assert inputs(workflow([LOADER, setter, getter, text(4, 2)], links)) == {
        "1": {"ckpt_name": "a.ckpt"},
        "4": {"text": "cat", "clip": ["1", 1]},
    }
    inner = {"id": "sub", "nodes": [getter, text(4, 2)], "links": [link(2, 3, 0, 4)], "inputs": [], "outputs": []}
    drawn = workflow([LOADER, setter, node(9, "sub")], [link(1, 1, 1, 2)], inner)
    assert inputs(drawn)["9:4"]["clip"] == ["1", 1]


def test_a_getter_without_its_setter_leads_nowhere() -> None:
    getter = node(3, "GetNode", ["nothing"], gives=["CLIP"])
    assert inputs(workflow([getter, text(4, 2)], [link(2, 3, 0, 4)])) == {"4": {"text": "cat"}}


# Sub-graphs


def sampler_graph(**rest: Any) -> dict[str, Any]:
    """A sub-graph "sub" around a text and a latent: inputs clip, words, width; outputs CONDITIONING, LATENT."""
    words = node(
        5, "CLIPTextEncode", ["inner words"], wires={"clip": ("CLIP", 1), "text": ("STRING", 2)}, gives=["CONDITIONING"]
    )
    sizes = node(
        6, "EmptyLatentImage", [64, 65, 1], wires={"width": ("INT", 3), "height": ("INT", 6)}, gives=["LATENT"]
    )
    links = [
        (1, -10, 0, 5, 0),
        (2, -10, 1, 5, 1),
        (3, -10, 2, 6, 0),
        (6, -10, 2, 6, 1),
        (4, 5, 0, -20, 0),
        (5, 6, 0, -20, 1),
    ]
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    return {
        "id": "sub",
        "version": 1,
        "name": "Sub",
        "inputNode": {"id": -10},
        "outputNode": {"id": -20},
        "inputs": [
            {"name": "clip", "type": "CLIP"},
            {"name": "words", "type": "STRING"},
            {"name": "width", "type": "INT"},
        ],
        "outputs": [{"name": "CONDITIONING"}, {"name": "LATENT"}],
        "nodes": [words, sizes],
        "links": [dict(zip(names, each, strict=True)) for each in links],
        **rest,
    }


def instance(values: object = None, **rest: Any) -> dict[str, Any]:
    wires = rest.pop("wires", {"clip": ("CLIP", 1), "words": ("STRING", None), "width": ("INT", None)})
    return node(7, "sub", values, wires=wires, gives=["CONDITIONING", "LATENT"], **rest)


def around(box: dict[str, Any], *more: Any) -> dict[str, Any]:
    """A workflow with one box, its outputs shown."""
    shows = [node(8, "PreviewAny", wires={"source": ("*", 2)}), node(9, "PreviewAny", wires={"source": ("*", 3)})]
    links = [link(1, 1, 1, 7), link(2, 7, 0, 8), link(3, 7, 1, 9)]
    return workflow([LOADER, box, *shows], [*links, *more], sampler_graph())


def test_a_subgraph_is_opened_and_its_inner_nodes_get_joined_ids() -> None:
    assert inputs(around(instance())) == {
        "1": {"ckpt_name": "a.ckpt"},
        "7:5": {"clip": ["1", 1], "text": "inner words"},
        # One input feeds both sides, so the first one's value counts for both.
        "7:6": {"width": 64, "height": 64, "batch_size": 1},
        "8": {"source": ["7:5", 0]},
        "9": {"source": ["7:6", 0]},
    }


PROXIES = [["-1", "words"], ["6", "batch_size"], ["-1", "width"]]


@pytest.mark.parametrize(
    ("box", "words", "width"),
    [
        (instance(widgets_values_named={"words": "named", "width": 11}), "named", 11),
        (instance(["row", None, 12], properties={"proxyWidgets": PROXIES}), "row", 12),
        (instance(properties={"proxyWidgets": PROXIES}), "inner words", 64),
        (instance([], properties={"proxyWidgets": PROXIES}), "inner words", 64),
        (instance(["row", 13]), "row", 13),
        (instance(["row", 13, "randomize"]), "row", 13),
        (instance(["row"]), "row", 64),
    ],
)
def test_an_instances_own_values_come_in_four_encodings(box: dict[str, Any], words: str, width: int) -> None:
    found = inputs(around(box))
    assert found["7:5"]["text"] == words
    assert (found["7:6"]["width"], found["7:6"]["height"]) == (width, width)


def test_a_wire_into_a_box_wins_over_its_values_and_slots_are_matched_by_name() -> None:
    wires = {"width": ("INT", None), "words": ("STRING", 4), "clip": ("CLIP", 1)}
    primitive = node(3, "PrimitiveNode", ["wired"], gives=["STRING"])
    drawn = around(instance(["row", 13], wires=wires), link(4, 3, 0, 7))
    drawn["nodes"].append(primitive)
    assert inputs(drawn)["7:5"] == {"clip": ["1", 1], "text": "wired"}


def test_two_boxes_of_one_subgraph_are_two_sets_of_nodes() -> None:
    drawn = around(instance(["one", 8]))
    drawn["nodes"].append({**instance(["two", 16]), "id": 70})
    found = inputs(drawn)
    assert (found["7:5"]["text"], found["70:5"]["text"]) == ("one", "two")


def test_a_muted_box_sends_nothing_and_a_bypassed_one_passes_through() -> None:
    assert inputs(around(instance(mode=2))) == {"1": {"ckpt_name": "a.ckpt"}, "8": {}, "9": {}}
    drawn = around(instance(mode=4))
    drawn["nodes"].append(text(10, 11))
    drawn["links"].append(link(11, 7, 0, 10))
    drawn["nodes"][1]["outputs"][0]["type"] = "CLIP"
    assert inputs(drawn)["10"]["clip"] == ["1", 1]


def nested(values: object = None, **rest: Any) -> dict[str, Any]:
    """The sub-graph above inside another, "outer", that hands clip and words on under names of its own."""
    wires = {"clip": ("CLIP", 1), "words": ("STRING", 2), "width": ("INT", None)}
    return {
        "id": "outer",
        "inputs": [{"name": "the clip"}, {"name": "prompt"}],
        "outputs": [{"name": "out"}, {"name": "straight"}],
        "nodes": [node(12, "sub", values, wires=wires, gives=["CONDITIONING", "LATENT"], **rest)],
        "links": [link(1, -10, 0, 12), link(2, -10, 1, 12), link(3, 12, 0, -20, 0), link(4, -10, 0, -20, 1)],
    }


@pytest.mark.parametrize("is_inside", [True, False])
@pytest.mark.parametrize(
    ("outer_values", "inner_values", "words"),
    [
        (["from outside"], ["from between", 9], "from outside"),
        (None, ["from between", 9], "from between"),
        (None, None, "inner words"),
    ],
)
def test_subgraphs_in_subgraphs(is_inside: bool, outer_values: object, inner_values: object, words: str) -> None:
    wires = {"the clip": ("CLIP", 1), "prompt": ("STRING", None)}
    box = node(57, "outer", outer_values, wires=wires, gives=["CONDITIONING", "CLIP"])
    shows = [node(8, "PreviewAny", wires={"source": 2}), node(9, "PreviewAny", wires={"source": 3})]
    links = [link(1, 1, 1, 57), link(2, 57, 0, 8), link(3, 57, 1, 9)]
    outer = nested(inner_values)
    definitions = (
        [{**outer, "definitions": {"subgraphs": [sampler_graph()]}}] if is_inside else [outer, sampler_graph()]
    )
    found = inputs(workflow([LOADER, box, *shows], links, *definitions))
    assert found["57:12:5"] == {"clip": ["1", 1], "text": words}
    assert found["8"]["source"] == ["57:12:5", 0]
    assert found["9"]["source"] == ["1", 1], "an input joined to an output leads straight through"


def test_a_subgraph_that_contains_itself_is_refused() -> None:
    definition = {"id": "sub", "nodes": [node(1, "sub")], "links": [], "inputs": [], "outputs": []}
    with pytest.raises(PromptError, match="contains itself"):
        to_api(workflow([node(1, "sub")], [], definition), TYPES)
    pair = [{"id": a, "nodes": [node(1, b)], "links": []} for a, b in (("x", "y"), ("y", "x"))]
    with pytest.raises(PromptError, match="contains itself"):
        to_api(workflow([node(1, "x")], [], *pair), TYPES)


def test_subgraphs_that_double_at_every_level_are_refused_in_time() -> None:
    levels = [{"id": f"s{n}", "nodes": [node(k, f"s{n + 1}") for k in range(10)], "links": []} for n in range(12)]
    with pytest.raises(PromptError, match="use fewer"):
        to_api(workflow([node(1, "s0")], [], *levels, {"id": "s12", "nodes": [], "links": []}), TYPES)


# Group nodes of old files


def group(**config: Any) -> dict[str, Any]:
    """A text and a sampler; the text feeds positive, a primitive the steps."""
    nodes = [
        {**text(0, 0, "grouped"), "index": 0},
        {
            **node(
                1,
                "KSampler",
                [1, "fixed", 20, 8, "euler", "normal", 1],
                wires={
                    "model": ("MODEL", None),
                    "positive": ("CONDITIONING", None),
                    "negative": ("CONDITIONING", None),
                    "latent_image": ("LATENT", None),
                    "steps": ("INT", None),
                },
                gives=["LATENT"],
            ),
            "index": 1,
        },
        {**node(2, "PrimitiveNode", gives=["INT"]), "index": 2},
        {**text(3, 0, "second"), "index": 3},
    ]
    links = [[0, 0, 1, 1, 9, "CONDITIONING"], [2, 0, 1, 4, 9, "INT"], [None, 1, 0, 0, 9, "CLIP"]]
    return {"nodes": nodes, "links": links, "external": [[0, 0, "CONDITIONING"]], "config": config}


@pytest.mark.parametrize("prefix", ["workflow/", "workflow>"])
def test_a_group_node_is_opened_with_its_own_values(prefix: str) -> None:
    wires = {"clip": 1, "model": 2, "CLIPTextEncode clip": 3}
    row = ["typed", 42, "randomize", 7.5, "ddim", "karras", 0.5, 30, "fixed", "more"]
    box = node(9, f"{prefix}G", row, wires=wires, gives=["CONDITIONING", "LATENT", "CONDITIONING"])
    show = node(5, "PreviewAny", wires={"source": 4})
    links = [link(1, 1, 1, 9), link(2, 1, 0, 9), link(3, 1, 1, 9), link(4, 9, 2, 5)]
    assert inputs(workflow([LOADER, box, show], links, groupNodes={"G": group()})) == {
        "1": {"ckpt_name": "a.ckpt"},
        "9:0": {"text": "typed", "clip": ["1", 1]},
        "9:1": {
            "seed": 42,
            "steps": 30,
            "cfg": 7.5,
            "sampler_name": "ddim",
            "scheduler": "karras",
            "denoise": 0.5,
            "model": ["1", 0],
            "positive": ["9:0", 0],
        },
        "9:3": {"text": "more", "clip": ["1", 1]},
        "5": {"source": ["9:3", 0]},
    }


def test_a_groups_inputs_may_have_other_names_and_its_widgets_may_be_wired() -> None:
    looks = {"0": {"input": {"clip": {"name": "brain"}}}, "3": {"input": {"clip": {"visible": False}}}}
    definition = group(**looks)
    definition["nodes"][0]["inputs"].append(
        {"name": "text", "type": "STRING", "link": None, "widget": {"name": "text"}}
    )
    box = node(9, "workflow/G", ["typed"], wires={"brain": 1, "text": ("STRING", 2)}, gives=["CONDITIONING"])
    primitive = node(4, "PrimitiveNode", ["wired"], gives=["STRING"])
    drawn = workflow([LOADER, box, primitive], [link(1, 1, 1, 9), link(2, 4, 0, 9)], groupNodes={"G": definition})
    found = inputs(drawn)
    assert found["9:0"] == {"clip": ["1", 1], "text": "wired"}
    assert "clip" not in found["9:3"]


# What is kept


def test_pruning_keeps_what_outputs_or_chosen_nodes_need() -> None:
    nodes = [
        LOADER,
        text(2, 1),
        node(3, "EmptyLatentImage", [8, 8, 1], gives=["LATENT"]),
        node(4, "SaveLatent", ["p"], wires={"samples": ("LATENT", 2)}),
    ]
    drawn = workflow(nodes, [link(1, 1, 1, 2), link(2, 3, 0, 4)])
    assert set(inputs(drawn)) == {"1", "2", "3", "4"}
    assert set(inputs(drawn, prune=True)) == {"3", "4"}
    assert set(inputs(drawn, targets=["2"])) == {"1", "2"}


def test_pruning_a_workflow_without_outputs_keeps_it() -> None:
    assert set(inputs(workflow([LOADER], []), prune=True)) == {"1"}


def test_ancestors_end_in_a_cycle() -> None:
    prompt = {"a": {"inputs": {"x": ["b", 0]}}, "b": {"inputs": {"x": ["a", 0]}}, "c": {"inputs": {}}}
    assert ancestors(prompt, ["a"]) == {"a", "b"}


def test_unknown_types_are_sent_and_noted() -> None:
    wires = {"clip": ("CLIP", 1), "seed": ("INT", None), "mode": ("COMBO", None)}
    nodes = [LOADER, node(2, "Alien", [5, "randomize", "x"], wires=wires), node(3, "Stranger", [1, 2])]
    converted = convert(workflow(nodes, [link(1, 1, 1, 2)]), TYPES)
    assert converted.prompt["2"]["inputs"] == {"seed": 5, "mode": "x", "clip": ["1", 1]}
    assert converted.prompt["3"]["inputs"] == {}
    assert [note.split(":")[0] for note in converted.notes] == ["node 2", "node 3"]
    assert "2 widget values" in converted.notes[1]


def test_titles_are_kept_and_a_lookup_may_be_a_function() -> None:
    drawn = workflow([{**LOADER, "title": "My loader"}], [])
    assert to_api(drawn, TYPES.get)["1"]["_meta"] == {"title": "My loader"}
