"""The JSON of /object_info, and node types read back from it."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NodeTypeError
from engine.graph.describe import describe, object_info, read, snapshot
from engine.graph.marks import FileChoices
from engine.graph.nodetype import Input, NodeType, Output

SAMPLER = NodeType(
    id="Sampler",
    inputs=(
        Input("model", "MODEL", options={"tooltip": "which"}),
        Input("seed", "INT", options={"default": 0, "min": 0, "max": 2**64 - 1}),
        Input("name", "COMBO", choices=("a", "b")),
        Input("mask", "MASK", required=False),
    ),
    outputs=(Output("LATENT", "LATENT"), Output("steps", "INT", is_list=True, tooltip="each")),
    hidden={"me": "UNIQUE_ID"},
    display_name="A Sampler",
    category="sampling",
    description="Samples.",
    is_output=True,
    is_deprecated=True,
)

NAMES = st.text(max_size=6)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
OPTIONS = st.dictionaries(st.sampled_from(["default", "min", "max", "tooltip", "lazy", "image_upload"]), PLAIN)
CHOICES = st.lists(NAMES | st.integers() | st.booleans(), max_size=3).map(tuple)


@st.composite
def node_types(draw: st.DrawFn) -> NodeType:
    names = draw(st.lists(NAMES, max_size=5, unique=True))
    split = draw(st.integers(0, len(names)))

    def one(name: str, required: bool) -> Input:
        choices = draw(CHOICES | st.none())
        kind = draw(st.sampled_from(["INT", "MODEL", "A,B", "COMBO"]) if choices is None else st.just("COMBO"))
        return Input(name, kind, required, choices, draw(OPTIONS))

    texts = st.text(max_size=8)
    return NodeType(
        id=draw(NAMES),
        inputs=tuple(one(name, index < split) for index, name in enumerate(names)),
        outputs=tuple(draw(st.lists(st.builds(Output, texts, texts, st.booleans(), texts), max_size=3))),
        hidden=draw(st.dictionaries(NAMES, st.sampled_from(["RUN", "PROMPT"]), max_size=2)),
        display_name=draw(texts),
        category=draw(texts),
        description=draw(texts),
        python_module=draw(texts),
        is_output=draw(st.booleans()),
        input_is_list=draw(st.booleans()),
        is_deprecated=draw(st.booleans()),
        is_experimental=draw(st.booleans()),
        is_api=draw(st.booleans()),
        not_idempotent=draw(st.booleans()),
        validate_inputs=draw(st.none() | st.lists(NAMES, max_size=2).map(tuple)),
        fingerprint_inputs=draw(st.none() | st.lists(NAMES, max_size=2).map(tuple)),
    )


def test_an_entry_has_the_shape_clients_read() -> None:
    assert describe(SAMPLER) == {
        "input": {
            "required": {
                "model": ["MODEL", {"tooltip": "which"}],
                "seed": ["INT", {"default": 0, "min": 0, "max": 18446744073709551615}],
                "name": [["a", "b"], {}],
            },
            "optional": {"mask": ["MASK", {}]},
            "hidden": {"me": "UNIQUE_ID"},
        },
        "input_order": {"required": ["model", "seed", "name"], "optional": ["mask"], "hidden": ["me"]},
        "is_input_list": False,
        "output": ["LATENT", "INT"],
        "output_is_list": [False, True],
        "output_name": ["LATENT", "steps"],
        "output_tooltips": ["", "each"],
        "name": "Sampler",
        "display_name": "A Sampler",
        "description": "Samples.",
        "python_module": "nodes",
        "category": "sampling",
        "output_node": True,
        "deprecated": True,
    }


def test_sections_and_flags_that_are_empty_are_left_out() -> None:
    entry = describe(NodeType("Empty"))
    assert entry["input"] == {"required": {}}
    assert not {"deprecated", "experimental", "api_node", "output_tooltips"} & set(entry)
    assert entry["display_name"] == "Empty"


def test_what_authors_put_into_options_becomes_json() -> None:
    class Anything(str):
        """An author's type."""

    odd = NodeType(
        "Odd",
        inputs=(
            Input("a", Anything("*"), options={"max": math.inf, "default": math.nan, "range": (1, {2})}),
            Input("b", "INT", options={"nested": {1: Anything("x"), "nan": math.nan}, "what": object}),
        ),
        outputs=(Output("out", Anything("*")),),
    )
    text = json.dumps(describe(odd), allow_nan=False)
    assert json.loads(text)["input"]["required"]["a"] == ["*", {"range": [1, [2]]}]
    assert json.loads(text)["input"]["required"]["b"][1]["nested"] == {"1": "x", "nan": None}
    assert type(describe(odd)["output"][0]) is str


def test_files_are_read_at_each_description() -> None:
    files = ["a.safetensors"]
    loader = NodeType("Loader", inputs=(Input("name", "COMBO", choices=lambda: files),))
    assert describe(loader)["input"]["required"]["name"][0] == ["a.safetensors"]
    files.append("b.safetensors")
    assert describe(loader)["input"]["required"]["name"][0] == ["a.safetensors", "b.safetensors"]


def test_a_node_whose_author_cannot_list_the_choices_leaves_the_others_alone() -> None:
    def broken() -> Sequence[str]:
        raise RuntimeError("no such folder")

    types = [NodeType("Broken", inputs=(Input("name", "COMBO", choices=broken),)), SAMPLER]
    assert list(object_info(types)) == ["Sampler"]


def test_the_run_is_ours_and_clients_are_not_told_of_it() -> None:
    saver = NodeType("Saver", hidden={"run": "RUN", "prompt": "PROMPT"})
    assert describe(saver)["input"]["hidden"] == {"prompt": "PROMPT"}
    assert describe(saver)["input_order"]["hidden"] == ["prompt"]
    assert read(snapshot(saver)).hidden == saver.hidden


@given(node_types())
def test_a_node_type_read_from_its_snapshot_is_the_same(node_type: NodeType) -> None:
    over_the_wire = json.loads(json.dumps(snapshot(node_type), allow_nan=False))
    assert read(over_the_wire) == node_type


@given(node_types())
def test_describing_what_was_read_gives_the_same_entry(node_type: NodeType) -> None:
    entry = describe(node_type)
    assert describe(read(entry)) == entry


def test_new_combos_and_short_configs_are_read_too() -> None:
    entry = {
        "name": "V3",
        "input": {
            "required": {"a": ["COMBO", {"options": ["x", "y"], "multiselect": False}], "b": ["MODEL"], "c": [["z"]]},
            "hidden": {"me": ["UNIQUE_ID"]},
        },
        "output": ["IMAGE", ["euler", "heun"]],
    }
    assert read(entry) == NodeType(
        "V3",
        inputs=(
            Input("a", "COMBO", choices=("x", "y"), options={"multiselect": False}, spelling="combo"),
            Input("b", "MODEL", spelling="bare"),
            Input("c", "COMBO", choices=("z",), spelling="bare"),
        ),
        outputs=(Output("IMAGE", "IMAGE"), Output("COMBO", "COMBO")),
        hidden={"me": "UNIQUE_ID"},
    )


class Lists:
    """Says which files there are, as Folders does."""

    def __init__(self, *files: str) -> None:
        self.files = files

    def list(self, kind: str) -> Sequence[str]:
        return [f"{kind}/{each}" for each in self.files]

    def input_files(self) -> Sequence[str]:
        return self.files


def test_a_snapshot_remembers_which_folder_a_list_comes_from() -> None:
    loader = NodeType("Loader", inputs=(Input("name", "COMBO", choices=FileChoices(Lists("a"), "vae", ("none",))),))
    entry = json.loads(json.dumps(snapshot(loader)))
    assert read(entry).inputs[0].current_choices() == ("vae/a", "none")
    assert read(entry, Lists("b", "c")).inputs[0].current_choices() == ("vae/b", "vae/c", "none")


@pytest.mark.parametrize("entry", [{}, [], {"name": "A"}, {"name": "A", "input": {"required": {"a": []}}}])
def test_an_entry_of_another_shape_is_refused(entry: Any) -> None:
    with pytest.raises(NodeTypeError, match="cannot be read"):
        read(entry)
