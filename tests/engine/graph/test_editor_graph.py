"""Sub-graphs are opened, however deep, and refused where they never end."""

from typing import Any

import pytest

from engine.errors import PromptError
from engine.graph.editor_format import to_api
from tests.engine.graph.drawn import LOADER, TYPES, inputs, link, node, text, workflow


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
