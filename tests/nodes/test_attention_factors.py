"""Attention's projections multiplied, and models that compute in another number format."""

from typing import Any

import pytest
import torch
from torch import Tensor

from engine.adapters import attention_factors
from engine.devices.patches import patched
from nodes import hooks
from tests.nodes.bench import Bench, Drawing, close

NAMES = ("to_q", "to_k", "to_v", "to_out.0")


def weights_of(value: Any) -> dict[str, Tensor]:
    """What a model or text encoder computes with, its patches worked in."""
    own = value.part.weights if hasattr(value, "part") else value.weights
    return {name: patched(name, each.float(), value.patches.get(name, ()), each.device) for name, each in own.items()}


@pytest.mark.parametrize(
    ("node", "layer", "names"),
    [
        ("UNetSelfAttentionMultiply", "attn1", NAMES),
        ("UNetCrossAttentionMultiply", "attn2", NAMES),
        ("CLIPAttentionMultiply", "self_attn", ("q_proj", "k_proj", "v_proj", "out_proj")),
    ],
)
def test_each_projection_is_multiplied_by_its_factor_weight_and_bias(
    node: str, layer: str, names: tuple[str, ...], bench: Bench
) -> None:
    drawing = Drawing()
    socket, link = ("clip", drawing.clip) if layer == "self_attn" else ("model", drawing.model)
    factors = {"q": 0.5, "k": 2.0, "v": 0.0, "out": 3.0}
    made = bench.value(drawing.graph, drawing.graph.node(node, **{socket: link}, **factors))
    before = weights_of(bench.value(drawing.graph, drawing.checkpoint, 1 if socket == "clip" else 0))
    wanted = dict(zip(names, factors.values(), strict=True))
    seen = set()
    for name, weight in weights_of(made).items():
        module = name.removesuffix(".weight").removesuffix(".bias")
        found = next((each for each in names if module.endswith(f".{layer}.{each}")), None)
        seen.add((found, name.rpartition(".")[2]))
        torch.testing.assert_close(weight, before[name] * (1.0 if found is None else wanted[found]), msg=name)
    assert {(each, "weight") for each in names} < seen
    assert (names[-1], "bias") in seen


def test_where_words_say_nothing_texts_make_no_difference_and_q_and_k_cancel(bench: Bench) -> None:
    drawing = Drawing()
    plain = bench.value(drawing.graph, drawing.sampled(steps=1))["samples"]
    deaf = drawing.graph.node("UNetCrossAttentionMultiply", model=drawing.model, q=1.0, k=1.0, v=0.0, out=1.0)
    texts = [drawing.text("a red apple"), drawing.text("the sea")]
    drawn = [
        bench.value(drawing.graph, drawing.sampled(model=deaf, positive=each, steps=1))["samples"] for each in texts
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert not close(drawn[0], plain, 1e-2)
    same = drawing.graph.node("UNetCrossAttentionMultiply", model=drawing.model, q=2.0, k=0.5, v=1.0, out=1.0)
    assert close(bench.value(drawing.graph, drawing.sampled(model=same, steps=1))["samples"], plain, 1e-3)


def test_a_network_without_layers_over_time_has_only_its_structural_ones_multiplied(bench: Bench) -> None:
    drawing = Drawing()
    ones = {f"{kind}_{which}": 1.0 for kind in ("self", "cross") for which in ("structural", "temporal")}
    node = "UNetTemporalAttentionMultiply"
    still = bench.value(drawing.graph, drawing.graph.node(node, model=drawing.model, **{**ones, "self_temporal": 5.0}))
    assert not still.patches
    louder = drawing.graph.node(node, model=drawing.model, **{**ones, "self_structural": 2.0})
    changed = bench.value(drawing.graph, louder).patches
    assert changed
    assert all(".attn1.to_out.0." in name for name in changed)


def test_layers_over_time_are_told_from_those_over_places() -> None:
    names = [f"input_blocks.1.1.{each}.0.attn1.to_out.0.weight" for each in ("transformer_blocks", "time_stack")]
    found = attention_factors.by_place_and_time(names, {"attn1": 2.0}, {"attn1": 3.0})
    made = [patched(name, torch.ones(1), found[name], torch.device("cpu")).item() for name in names]
    assert made == [2.0, 3.0]


@pytest.mark.parametrize(("dtype", "tolerance"), [("bf16", 6e-2), ("fp16", 1e-2), ("fp32", 0.0), ("default", 0.0)])
def test_a_model_computes_in_the_format_that_is_asked_for(dtype: str, tolerance: float, bench: Bench) -> None:
    drawing = Drawing()
    node = drawing.graph.node("ModelComputeDtype", model=drawing.model, dtype=dtype)
    plain, made = bench.value(drawing.graph, drawing.checkpoint), bench.value(drawing.graph, node)
    with made.ready() as network:
        wanted = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(dtype, torch.float32)
        assert {each.dtype for each in network.parameters()} == {wanted}
    assert all(each is made.part.weights[name] for name, each in plain.part.weights.items())
    drawn = [
        bench.value(drawing.graph, drawing.sampled(model=each, steps=1))["samples"] for each in (drawing.model, node)
    ]
    assert close(drawn[1], drawn[0], tolerance)
    assert torch.equal(drawn[0], drawn[1]) is (tolerance == 0.0)


@pytest.mark.parametrize("dtype", ["default", "fp32"])
def test_the_format_that_the_device_chose_comes_back(dtype: str, bench: Bench) -> None:
    drawing = Drawing()
    node = drawing.checkpoint
    for each in ("fp16", "bf16", dtype):
        node = drawing.graph.node("ModelComputeDtype", model=node.out(0), dtype=each)
    assert bench.value(drawing.graph, node).part is bench.value(drawing.graph, drawing.checkpoint).part


def test_pairs_are_put_behind_one_another() -> None:
    one, two, three, four = ([[torch.zeros(1, 77, 8), {"n": n}]] for n in range(4))
    made = hooks.pair_conditioning_combine(positive_A=one, negative_A=two, positive_B=three, negative_B=four)
    assert [entry[1]["n"] for entry in made.positive] == [0, 2]
    assert [entry[1]["n"] for entry in made.negative] == [1, 3]
