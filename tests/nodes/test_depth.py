"""Depth Anything 3 in a graph."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import PromptError
from engine.graph.assign import assign
from engine.graph.builder import Builder, Handle
from engine.graph.describe import describe
from engine.graph.validate import validate
from tests import depth_files
from tests.nodes.bench import Bench

MULTIVIEW = {"mode": "multiview", "mode.ref_view_strategy": "first", "mode.pose_method": "cam_dec"}
DEPTH = {"output": "depth", "output.normalization": "min_max", "output.apply_sky_clip": False}


@pytest.fixture
def bench(bench: Bench) -> Bench:
    folder: Path = bench.folders.base / "models" / "geometry_estimation"
    folder.mkdir(parents=True)
    save_file(depth_files.tensors(depth_files.TINY), folder / "small.safetensors")
    save_file(depth_files.tensors(depth_files.TINY_MONO), folder / "mono.safetensors")
    save_file({"depth_head.a": torch.zeros(1)}, folder / "old.safetensors")
    return bench


def found(bench: Bench, graph: Builder, name: str, image: Any, **more: Any) -> Handle:
    model = graph.node(
        "LoadDA3Model", model_name=f"{name}.safetensors", weight_dtype=more.pop("weight_dtype", "default")
    )
    inputs = {"resolution": 140, "resize_method": "upper_bound_resize", "mode": "mono", **more}
    return graph.node("DA3Inference", da3_model=model, image=bench.constant(graph, image), **inputs)


def test_a_picture_becomes_a_picture_of_its_depth(bench: Bench) -> None:
    graph, image = Builder(), torch.rand(2, 30, 44, 4)
    geometry = found(bench, graph, "small", image)
    shown = graph.node("DA3Render", da3_geometry=geometry, **DEPTH)
    made = bench.value(graph, shown)
    assert made.shape == (2, 30, 44, 3)
    assert [(float(each.min()), float(each.max())) for each in made] == [(0.0, 1.0)] * 2
    far = bench.value(graph, geometry)["depth"]
    assert made[0, ..., 0].argmax() == far[0].argmin()


def test_every_output_is_shown(bench: Bench) -> None:
    graph, image = Builder(), torch.rand(1, 30, 44, 3)
    views, mono = (
        found(bench, graph, "small", torch.rand(3, 30, 44, 3), **MULTIVIEW),
        found(bench, graph, "mono", image),
    )
    clipped = {"output.normalization": "v2_style", "output.apply_sky_clip": True}
    shown = [
        graph.node("DA3Render", da3_geometry=mono, output="depth_colored", **clipped),
        graph.node("DA3Render", da3_geometry=mono, output="sky_mask", **{"output.colored": True}),
        graph.node("DA3Render", da3_geometry=views, output="confidence", **{"output.colored": False}),
    ]
    made = [bench.value(graph, each) for each in shown]
    assert [len(each) for each in made] == [1, 1, 3]
    assert all(each.shape[1:] == (30, 44, 3) and each.min() >= 0 and each.max() <= 1 for each in made)
    geometry = bench.value(graph, views)
    assert geometry["mode"] == "multiview"
    assert geometry["extrinsics"].shape == (3, 3, 4)


def test_weights_in_half_the_bytes_see_nearly_the_same(bench: Bench) -> None:
    graph, image = Builder(), torch.rand(1, 30, 44, 3)
    whole, half = (found(bench, graph, "small", image, weight_dtype=each) for each in ("default", "bf16"))
    one, other = (bench.value(graph, each)["depth"] for each in (whole, half))
    assert not torch.equal(one, other)
    assert ((one - other).abs() / one).max() < 0.1


def test_what_cannot_be_is_said_with_the_input(bench: Bench) -> None:
    graph, image = Builder(), torch.rand(1, 30, 44, 3)
    for handle, said in (
        (
            graph.node("LoadDA3Model", model_name="old.safetensors", weight_dtype="default"),
            "input model_name: old.safetensors: not Depth Anything 3; it is Depth Anything 1 or 2",
        ),
        (found(bench, graph, "mono", image, **MULTIVIEW), "input da3_model: mono.safetensors: a mono model"),
        (found(bench, graph, "mono", torch.zeros(0, 30, 44, 3)), "image: expected at least one picture"),
        (found(bench, graph, "mono", image * torch.nan), "image: it holds"),
        (
            graph.node(
                "DA3Render",
                da3_geometry=found(bench, graph, "mono", image),
                output="confidence",
                **{"output.colored": True},
            ),
            "da3_geometry: there is no confidence",
        ),
    ):
        assert said in bench.message(graph, handle)


def test_sizes_and_choices_are_checked_before_anything_runs(bench: Bench) -> None:
    graph, image = Builder(), torch.rand(1, 30, 44, 3)
    small = found(bench, graph, "mono", image, resolution=126)
    large = found(bench, graph, "mono", image, resolution=2534)
    lacking = found(bench, graph, "mono", image, mode="multiview")
    shown = [graph.node("DA3Render", da3_geometry=small, output="depth_red")]
    shown += [graph.node("DA3Render", da3_geometry=each, **DEPTH) for each in (large, lacking)]
    for each in shown:
        graph.node("PreviewImage", images=each)
    problems = {(each.node, each.kind, each.input) for each in validate(graph.prompt(), bench.registry).problems}
    assert (small.id, "value_smaller_than_min", "resolution") in problems
    assert (large.id, "value_bigger_than_max", "resolution") in problems
    assert (lacking.id, "required_input_missing", "mode.pose_method") in problems
    assert "invalid_dynamic_input" in {kind for _, kind, _ in problems}


def test_the_editor_is_told_of_inputs_that_choices_bring(bench: Bench) -> None:
    """As the public documentation has it: names in order, defaults, ranges, outputs."""
    entry = describe(bench.registry["DA3Inference"])
    required = entry["input"]["required"]
    assert [*required] == ["da3_model", "image", "resolution", "resize_method", "mode"]
    assert {key: required["resolution"][1][key] for key in ("default", "min", "max", "step")} == {
        "default": 504, "min": 140, "max": 2520, "step": 14,
    }  # fmt: skip
    assert required["resize_method"][0] == ["upper_bound_resize", "lower_bound_resize"]
    kind, options = required["mode"]
    assert kind == "COMFY_DYNAMICCOMBO_V3"
    mono, multiview = options["options"]
    assert mono == {"key": "mono", "inputs": {}}
    brought = multiview["inputs"]["required"]
    assert brought["ref_view_strategy"][0] == ["saddle_balanced", "saddle_sim_range", "first", "middle"]
    assert brought["pose_method"][0] == ["cam_dec", "ray_pose"]
    assert (entry["output"], entry["output_name"]) == (["DA3_GEOMETRY"], ["da3_geometry"])

    options = describe(bench.registry["DA3Render"])["input"]["required"]["output"][1]["options"]
    assert {each["key"]: [*each["inputs"]["required"]] for each in options} == {
        "depth": ["normalization", "apply_sky_clip"],
        "depth_colored": ["normalization", "apply_sky_clip"],
        "sky_mask": ["colored"],
        "confidence": ["colored"],
    }
    assert options[1]["inputs"]["required"]["normalization"][1]["tooltip"].startswith("v2_style makes near bright")
    loading = describe(bench.registry["LoadDA3Model"])["input"]["required"]
    assert loading["weight_dtype"][0] == ["default", "fp16", "bf16", "fp32"]
    assert loading["model_name"][0] == ["mono.safetensors", "old.safetensors", "small.safetensors"]


def test_choices_are_set_by_name_with_what_they_bring(bench: Bench) -> None:
    """As on the command line: --set "Render it. Now.output.colored=true"."""
    render = {
        "class_type": "DA3Render",
        "_meta": {"title": "Render it. Now"},
        "inputs": {"da3_geometry": ["1", 0], **DEPTH},
    }
    prompt: dict[str, Any] = {"2": render}

    def inputs(name: str, value: Any) -> dict[str, Any]:
        return assign(prompt, name, value, bench.registry)["2"]["inputs"]

    clipped = inputs("DA3Render.output.apply_sky_clip", "yes")
    assert clipped == {**render["inputs"], "output.apply_sky_clip": True}
    assert inputs("Render it. Now.output.normalization", "raw") == {**render["inputs"], "output.normalization": "raw"}
    assert inputs("2.output", "sky_mask") == {"da3_geometry": ["1", 0], "output": "sky_mask", "output.colored": False}
    assert inputs("2.output", "depth_colored") == {**render["inputs"], "output": "depth_colored"}
    for name, said in (
        ("2.output.colored", "has no input 'output.colored'; it has da3_geometry, output, output.normalization"),
        ("2.da3_geometry", "takes a DA3_GEOMETRY over a wire"),
        ("Nobody.output.colored", "no node has the id, title or class 'Nobody.output'"),
        ("output", "expected NODE.INPUT"),
    ):
        with pytest.raises(PromptError, match=re.escape(said)):
            assign(prompt, name, "1", bench.registry)
