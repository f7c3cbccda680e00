"""Every built-in node looks to the editor as ComfyUI's does: inputs in order, defaults, ranges, outputs, category."""

import gzip
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints.load import Loader
from engine.folders import Folders
from engine.graph.define import definition, node_type
from engine.graph.describe import describe
from engine.settings import Settings
from nodes import all_nodes
from nodes.sampling import Drawing

SPECS: Mapping[str, Any] = json.loads(
    gzip.decompress((Path(__file__).parents[1] / "data" / "node_specs.json.gz").read_bytes())
)
ISSUE_2 = [
    "CheckpointLoaderSimple",
    "CLIPTextEncode",
    "CLIPSetLastLayer",
    "EmptyLatentImage",
    "KSampler",
    "KSamplerAdvanced",
    "VAEDecode",
    "VAEEncode",
    "VAELoader",
    "LoraLoader",
    "LoraLoaderModelOnly",
    "SaveImage",
    "PreviewImage",
    "LoadImage",
    "LoadImageMask",
    "EmptyImage",
    "ImageScale",
    "ImageScaleBy",
    "ImageInvert",
    "ImageBatch",
    "RebatchImages",
    "LatentUpscale",
    "LatentUpscaleBy",
    "SetLatentNoiseMask",
    "VAEEncodeForInpaint",
    "ControlNetLoader",
    "ControlNetApply",
    "ControlNetApplyAdvanced",
    "ConditioningCombine",
    "ConditioningSetArea",
    "ConditioningSetMask",
    "ConditioningSetTimestepRange",
    "PrimitiveInt",
    "PrimitiveFloat",
    "PrimitiveString",
    "PrimitiveStringMultiline",
    "PrimitiveBoolean",
]
# Two that ComfyUI has since the version of the specifications (the issue counts 44), and the one we add.
MORE_SAMPLERS = {"exp_heun_2_x0", "exp_heun_2_x0_sde", "plms"}
FILES = "files"  # Lists of files differ from machine to machine; that there is one is what counts.
FILE_INPUTS = {"ckpt_name", "lora_name", "control_net_name", "image"} | {
    name
    for spec in SPECS.values()
    for section in ("required", "optional")
    for name, config in spec["inputs"][section].items()
    if config[0] == [] or (config[0] == "COMBO" and config[1].get("options") == [])
}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folders = Folders(tmp_path_factory.mktemp("base"), embedded=tmp_path_factory.mktemp("none"))
    services = {Folders: folders, Loader: object(), Settings: Settings(), Drawing: Drawing(Settings())}
    types = [node_type(function, services) for function in all_nodes()]
    return {each.id: describe(each) for each in types}


def test_all_nodes_of_the_issue_are_there(described: dict[str, Any]) -> None:
    assert not set(ISSUE_2) - set(described)


@pytest.mark.parametrize("name", sorted({definition(each).id for each in all_nodes()} & SPECS.keys()))
def test_a_node_is_described_as_comfyui_describes_it(name: str, described: dict[str, Any]) -> None:
    ours, theirs = described[name], SPECS[name]
    for section in ("required", "optional"):
        inputs = {each: _input(each, config) for each, config in ours["input"].get(section, {}).items()}
        assert inputs == {each: _input(each, config) for each, config in theirs["inputs"][section].items()}
        assert ours["input_order"].get(section, []) == theirs["input_order"].get(section, [])
    # ComfyUI's newer way of writing nodes has each kind in a list of its own.
    hidden = {name: kind[0] if isinstance(kind, list) else kind for name, kind in theirs["inputs"]["hidden"].items()}
    assert ours["input"].get("hidden", {}) == hidden
    assert ours["output"] == theirs["outputs"]
    assert ours["output_name"] == theirs["output_names"]
    assert ours["output_is_list"] == theirs["output_is_list"]
    assert ours["category"] == theirs["category"]
    assert ours["output_node"] == theirs["output_node"]
    assert ours["is_input_list"] == theirs["input_is_list"]
    assert ours.get("deprecated", False) == theirs["deprecated"]


def test_samplers_keep_comfyuis_order_with_newer_ones_and_one_of_our_own(described: dict[str, Any]) -> None:
    ours = described["KSampler"]["input"]["required"]["sampler_name"][0]
    theirs = SPECS["KSampler"]["inputs"]["required"]["sampler_name"][0]
    assert set(ours) - set(theirs) == MORE_SAMPLERS
    assert [each for each in ours if each not in MORE_SAMPLERS] == theirs
    assert ours[-1] == "plms"


@pytest.mark.parametrize("function", all_nodes(), ids=lambda function: definition(function).id)
def test_a_node_is_short_and_explains_itself(function: Any) -> None:
    source = inspect.getsource(function)
    assert len(source.splitlines()) <= 25
    assert (function.__doc__ or "").strip().endswith(".")


def _input(name: str, config: list[Any]) -> tuple[Any, dict[str, Any]]:
    """Type (or choices) and options, without tooltips, which are ours, and without this machine's files."""
    options = dict(config[1]) if len(config) > 1 else {}
    options.pop("tooltip", None)
    kind = config[0]
    if kind == "COMBO" and "options" in options:  # ComfyUI's newer way of writing a list of choices
        kind = options.pop("options")
        options.pop("multiselect", None)
    if name in FILE_INPUTS:
        kind = FILES if isinstance(kind, list) else kind
    if name == "sampler_name":
        kind = [each for each in kind if each not in MORE_SAMPLERS]
    if isinstance(kind, list):
        options.setdefault("default", kind[0])  # What the editor takes where no default is said.
    return kind, options
