"""engine.graph.editor_format against prompts the real editor made; what of them is kept."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.graph.editor_format import ancestors, convert, to_api
from tests.engine.graph.drawn import DATA, LOADER, TYPES, inputs, link, node, text, workflow

PAIRS = sorted((DATA / "workflow_pairs").glob("*.json"))


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
    for node_id, (class_type, given) in made.items():
        for name in [*given]:
            if (class_type, name) in NEWER_INPUTS and name not in wanted.get(node_id, ("", {}))[1]:
                node_type = TYPES[class_type].input(name)
                assert node_type is not None
                assert given.pop(name) in (node_type.options.get("default"), *node_type.current_choices()[:1])
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
