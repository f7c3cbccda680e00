"""Nodes that change a model without its weights, in whole graphs: they draw, go together, say what they cannot do."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from engine.graph.validate import validate
from tests.nodes.bench import Bench, Drawing


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny networks are slower with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


NODES: dict[str, dict[str, Any]] = {
    "ModelSamplingDiscrete": {"sampling": "v_prediction", "zsnr": True},
    "ModelSamplingContinuousEDM": {"sampling": "edm_playground_v2.5", "sigma_max": 120.0, "sigma_min": 0.002},
    "ModelSamplingContinuousV": {"sampling": "v_prediction", "sigma_max": 500.0, "sigma_min": 0.03},
    "ModelSamplingSD3": {"shift": 3.0},
    "ModelSamplingAuraFlow": {"shift": 1.73},
    "ModelSamplingFlux": {"max_shift": 1.15, "base_shift": 0.5, "width": 1024, "height": 1024},
    "ModelSamplingStableCascade": {"shift": 2.0},
    "RescaleCFG": {"multiplier": 0.7},
    "FreeU": {"b1": 1.1, "b2": 1.2, "s1": 0.9, "s2": 0.2},
    "FreeU_V2": {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2},
    "HyperTile": {"tile_size": 1, "swap_size": 2, "max_depth": 0, "scale_depth": False},
    "PatchModelAddDownscale": {
        "block_number": 1,
        "downscale_factor": 2.0,
        "start_percent": 0.0,
        "end_percent": 0.35,
        "downscale_after_skip": True,
        "downscale_method": "bicubic",
        "upscale_method": "bicubic",
    },
    "TomePatchModel": {"ratio": 0.3},
    "PerturbedAttentionGuidance": {"scale": 3.0},
    "SelfAttentionGuidance": {"scale": 0.5, "blur_sigma": 2.0},
    "DifferentialDiffusion": {"strength": 1.0},
    "APG": {"eta": 0.0, "norm_threshold": 5.0, "momentum": -0.5},
    "TCFG": {},
    "CFGZeroStar": {},
    "CFGNorm": {"strength": 1.0},
    "RenormCFG": {"cfg_trunc": 0.5, "renorm_cfg": 1.0},
    "FreSca": {"scale_low": 1.0, "scale_high": 1.25, "freq_cutoff": 2},
    "Epsilon Scaling": {"scaling_factor": 1.005},
    "EasyCache": {"reuse_threshold": 3.0, "start_percent": 0.0, "end_percent": 1.0, "verbose": True},
}
NEUTRAL: dict[str, dict[str, Any]] = {
    "APG": {"eta": 1.0, "norm_threshold": 0.0, "momentum": 0.0},
    "RenormCFG": {"cfg_trunc": 100.0, "renorm_cfg": 0.0},
    "FreSca": {"scale_low": 1.0, "scale_high": 1.0, "freq_cutoff": 20},
    "Epsilon Scaling": {"scaling_factor": 1.0},
    "EasyCache": {"reuse_threshold": 0.0, "start_percent": 0.0, "end_percent": 1.0, "verbose": False},
}


def test_a_model_through_all_of_them_draws_and_the_one_it_came_from_stays(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    drawing = Drawing()
    plain = bench.value(drawing.graph, drawing.sampled(steps=8))["samples"]
    model = drawing.model
    for name, inputs in NODES.items():
        if not name.startswith("ModelSampling"):
            model = drawing.graph.node(name, model=model, **inputs).out()
    with caplog.at_level("INFO", "engine.steering.easy_cache"):
        drawn = bench.value(drawing.graph, drawing.sampled(model=model, steps=8))["samples"]
    assert re.search(r"[1-9] of 8 steps guessed", caplog.text)
    assert bool(drawn.isfinite().all())
    assert not bool((drawn == plain).all())
    again = bench.value(drawing.graph, drawing.sampled(steps=8, denoise=0.99995))["samples"]
    assert bool((again == plain).all())


@pytest.mark.parametrize("names", [("EasyCache", "SelfAttentionGuidance"), ("SelfAttentionGuidance", "EasyCache")])
def test_steps_are_guessed_under_guidance_that_looks_at_attention(
    names: tuple[str, str], bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    drawing = Drawing()
    model = drawing.model
    for name in names:
        model = drawing.graph.node(name, model=model, **NODES[name]).out()
    with caplog.at_level("INFO", "engine.steering.easy_cache"):
        drawn, plain = (
            bench.value(drawing.graph, drawing.sampled(model=each, steps=8))["samples"]
            for each in (model, drawing.graph.node("EasyCache", model=drawing.model, **NODES["EasyCache"]))
        )
    assert len(re.findall(r"[1-9] of 8 steps guessed", caplog.text)) == 2
    assert bool(drawn.isfinite().all())
    assert not bool((drawn == plain).all())


@pytest.mark.parametrize("name", NEUTRAL)
def test_neutral_values_are_the_same_picture_to_the_last_bit(name: str, bench: Bench) -> None:
    drawing = Drawing()
    changed = drawing.graph.node(name, model=drawing.model, **NEUTRAL[name])
    used = drawing.graph.node(name, model=drawing.model, **NODES[name])
    plain, neutral, other = (
        bench.value(drawing.graph, drawing.sampled(model=each))["samples"] for each in (drawing.model, changed, used)
    )
    assert bool((neutral == plain).all())
    assert not bool((other == plain).all())


@pytest.mark.parametrize("name", ["APG", "TCFG", "CFGZeroStar", "CFGNorm", "RenormCFG", "FreSca"])
def test_what_changes_guidance_changes_nothing_where_there_is_none(name: str, bench: Bench) -> None:
    drawing = Drawing()
    changed = drawing.graph.node(name, model=drawing.model, **NODES[name])
    plain, ours = (
        bench.value(drawing.graph, drawing.sampled(model=each, cfg=1.0))["samples"] for each in (drawing.model, changed)
    )
    assert bool((ours == plain).all())


def test_the_same_picture_comes_of_a_second_run_with_momentum(bench: Bench) -> None:
    drawing = Drawing()
    changed = drawing.graph.node("APG", model=drawing.model, **NODES["APG"])
    first = drawing.sampled(model=changed)
    again = drawing.sampled(model=changed, denoise=0.99995)  # the same run, which the cache cannot know
    drawn = [bench.value(drawing.graph, each)["samples"] for each in (first, again)]
    assert bool((drawn[0] == drawn[1]).all())


def test_a_model_that_is_cached_is_asked_in_its_first_two_steps_only_where_anything_goes(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    drawing = Drawing()
    cached = drawing.graph.node("EasyCache", model=drawing.model, **NODES["EasyCache"])
    late = drawing.graph.node("EasyCache", model=drawing.model, **{**NODES["EasyCache"], "start_percent": 0.9})
    with caplog.at_level("INFO", "engine.steering.easy_cache"):
        for model, told in ((cached, "2 of 4 steps guessed"), (late, "1 of 4 steps guessed")):
            caplog.clear()
            bench.value(drawing.graph, drawing.sampled(model=model, steps=4))
            assert told in caplog.text


ENDS: list[tuple[str, dict[str, Any]]] = [
    ("HyperTile", {"tile_size": 2048, "swap_size": 128, "max_depth": 10, "scale_depth": True}),
    ("HyperTile", {"tile_size": 1, "swap_size": 1, "max_depth": 10}),
    ("PatchModelAddDownscale", {"block_number": 1, "downscale_factor": 9.0, "end_percent": 1.0}),
    ("PatchModelAddDownscale", {"block_number": 2, "downscale_factor": 0.1, "end_percent": 1.0}),
    ("PatchModelAddDownscale", {"block_number": 32, "start_percent": 1.0, "end_percent": 0.0}),
    ("TomePatchModel", {"ratio": 0.0}),
    ("TomePatchModel", {"ratio": 1.0}),
    ("FreeU", {"b1": 0.0, "b2": 0.0, "s1": 0.0, "s2": 0.0}),
    ("FreeU_V2", {"b1": 10.0, "b2": 10.0, "s1": 10.0, "s2": 10.0}),
    ("RescaleCFG", {"multiplier": 1.0}),
    ("PerturbedAttentionGuidance", {"scale": 0.0}),
    ("SelfAttentionGuidance", {"scale": -2.0, "blur_sigma": 0.0}),
    ("DifferentialDiffusion", {"strength": 0.0}),
    ("ModelSamplingFlux", {"width": 16, "height": 16}),
    ("ModelSamplingStableCascade", {"shift": 0.01}),
    ("ModelSamplingStableCascade", {"shift": 100.0}),
    ("APG", {"eta": -10.0, "norm_threshold": 50.0, "momentum": -5.0}),
    ("CFGNorm", {"strength": 0.0}),
    ("RenormCFG", {"cfg_trunc": 0.0, "renorm_cfg": 100.0}),
    ("FreSca", {"scale_low": 0.0, "scale_high": 10.0, "freq_cutoff": 10000}),
    ("Epsilon Scaling", {"scaling_factor": 0.5}),
    ("EasyCache", {"start_percent": 1.0, "end_percent": 0.0}),
]


@pytest.mark.parametrize(("name", "inputs"), ENDS, ids=[f"{name} {list(inputs.values())}" for name, inputs in ENDS])
def test_the_ends_of_every_range_draw(name: str, inputs: dict[str, Any], bench: Bench) -> None:
    drawing = Drawing()
    changed = drawing.graph.node(name, model=drawing.model, **{**NODES[name], **inputs})
    drawn = bench.value(drawing.graph, drawing.sampled(model=changed, steps=1))["samples"]
    assert bool(drawn.isfinite().all())


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [
        ("ModelSamplingContinuousEDM", {"sigma_min": 0.0}, "0 < sigma_min < sigma_max"),
        ("ModelSamplingContinuousV", {"sigma_max": 0.03}, "sigma_min is 0.03 and sigma_max 0.03"),
        ("ModelSamplingSD3", {"shift": 0.0}, "a shift of 0 leaves no rising noise levels"),
        ("ModelSamplingStableCascade", {"shift": 0.0}, "a shift of 0 leaves no rising noise levels"),
        ("ModelSamplingFlux", {"max_shift": 100.0, "width": 16384, "height": 16384}, "leaves no rising noise levels"),
        ("TorchCompileModel", {"backend": "cudagraphs"}, "this model runs on cpu; choose 'inductor'"),
    ],
)
def test_what_has_no_answer_is_named(name: str, inputs: dict[str, Any], message: str, bench: Bench) -> None:
    drawing = Drawing()
    node = drawing.graph.node(name, model=drawing.model, **{**NODES.get(name, {}), **inputs})
    told = bench.message(drawing.graph, node)
    assert told.startswith(f"{name}: ")
    assert message in told


@pytest.mark.parametrize(
    ("name", "input", "value"),
    [
        ("ModelSamplingDiscrete", "sampling", "guess"),
        ("ModelSamplingContinuousEDM", "sigma_max", 1000.5),
        ("TomePatchModel", "ratio", 1.5),
        ("HyperTile", "swap_size", 0),
        ("PatchModelAddDownscale", "upscale_method", "lanczos"),
        ("SelfAttentionGuidance", "scale", -3.0),
        ("FreeU", "b1", "strong"),
        ("APG", "momentum", 1.5),
        ("Epsilon Scaling", "scaling_factor", 0.0),
        ("FreSca", "freq_cutoff", 0),
    ],
)
def test_what_is_no_choice_or_out_of_range_is_refused_at_its_input(
    name: str, input: str, value: object, bench: Bench
) -> None:
    drawing = Drawing()
    changed = drawing.graph.node(name, model=drawing.model, **{**NODES[name], input: value})
    drawing.graph.node("PreviewImage", images=drawing.graph.node("VAEDecode", samples=drawing.sampled(model=changed),
                                                                 vae=drawing.vae))  # fmt: skip
    problems = validate(drawing.graph.prompt(), bench.registry).problems
    assert (changed.id, input) in {(each.node, each.input) for each in problems}


@pytest.mark.parametrize("name", NODES)
def test_what_is_no_model_is_refused_before_anything_runs(name: str, bench: Bench) -> None:
    drawing = Drawing()
    changed = drawing.graph.node(name, model=drawing.clip, **NODES[name])
    drawing.graph.node("PreviewImage", images=drawing.graph.node("VAEDecode", samples=drawing.sampled(model=changed),
                                                                 vae=drawing.vae))  # fmt: skip
    problems = validate(drawing.graph.prompt(), bench.registry).problems
    assert (changed.id, "model") in {(each.node, each.input) for each in problems}


def test_hints_that_do_not_fit_a_picture_that_is_seen_small_are_left_out_with_a_warning(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    drawing = Drawing()
    small = drawing.graph.node("PatchModelAddDownscale", model=drawing.model,
                               **{**NODES["PatchModelAddDownscale"], "end_percent": 1.0})  # fmt: skip
    both = drawing.hinted(bench)
    drawn = bench.value(drawing.graph, drawing.sampled(model=small, positive=both.out(0), negative=both.out(1)))
    assert bool(drawn["samples"].isfinite().all())
    assert "a ControlNet's answer for 4×4 cells is left out where the UNet has 2×2" in caplog.text
    assert "PatchModelAddDownscale" in caplog.text
