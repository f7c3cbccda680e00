"""Merging nodes in whole graphs; what a merge does to weights is tested with engine/adapters."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.nodes.bench import Bench, Drawing, close


@pytest.fixture
def two(bench: Bench, models: Path) -> Drawing:
    """A drawing, and a second checkpoint beside the first: `other.safetensors`, whose text encoder is negated."""
    folder = bench.folders.base / "models" / "checkpoints"
    folder.mkdir(parents=True)
    tensors = load_file(models / "checkpoints" / "tiny.safetensors")
    generator = torch.Generator().manual_seed(3)
    for name, tensor in tensors.items():
        if name.startswith("model.") and tensor.ndim > 1:
            noise = torch.randn(tensor.shape, generator=generator) * tensor.float().std() * 0.3
            tensors[name] = (tensor + noise).half()
    save_file(tensors, folder / "other.safetensors")
    return Drawing()


def other(drawing: Drawing, name: str = "other.safetensors") -> Any:
    return drawing.graph.node("CheckpointLoaderSimple", ckpt_name=name)


def drawn(bench: Bench, drawing: Drawing, **changes: Any) -> torch.Tensor:
    return bench.value(drawing.graph, drawing.sampled(steps=1, **changes))["samples"]


def test_ratios_of_one_and_zero_are_the_two_models(bench: Bench, two: Drawing) -> None:
    second = other(two)
    ones = {"input": 1.0, "middle": 1.0, "out": 1.0}
    merges: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("ModelMergeSimple", {"ratio": 1.0}, {"ratio": 0.0}),
        ("ModelMergeBlocks", ones, dict.fromkeys(ones, 0.0)),
        *[(name, _all(bench, name, 1.0), _all(bench, name, 0.0)) for name in ("ModelMergeSD1", "ModelMergeSDXL")],
    ]
    expected = drawn(bench, two), drawn(bench, two, model=second.out(0))
    assert not close(expected[0], expected[1], 1e-2)
    for name, *ratios in merges:
        for picture, ratio in zip(expected, ratios, strict=True):
            merged = two.graph.node(name, model1=two.model, model2=second.out(0), **ratio)
            assert close(drawn(bench, two, model=merged), picture, 1e-3), name


def _all(bench: Bench, name: str, ratio: float) -> dict[str, float]:
    """Every block of a node at this ratio, by the names that have dots in them."""
    return {each.name: ratio for each in bench.registry[name].inputs if each.type == "FLOAT"}


def test_one_block_alone_changes_the_picture_less_than_all(bench: Bench, two: Drawing) -> None:
    second, plain = other(two), drawn(bench, two)
    distances = []
    for blocks in ({"input_blocks.1.": 0.0}, {"input_blocks.1.": 0.0, "input_blocks.2.": 0.0, "middle_block.1.": 0.0}):
        ratios = {**_all(bench, "ModelMergeSD1", 1.0), **blocks}
        merged = two.graph.node("ModelMergeSD1", model1=two.model, model2=second.out(0), **ratios)
        distances.append(float((drawn(bench, two, model=merged) - plain).abs().max()))
    assert 0 < distances[0] < distances[1]


def test_a_difference_taken_and_added_again_is_the_other_model(bench: Bench, two: Drawing) -> None:
    second = other(two)
    difference = two.graph.node("ModelMergeSubtract", model1=second.out(0), model2=two.model, multiplier=1.0)
    back = two.graph.node("ModelMergeAdd", model1=two.model, model2=difference)
    assert close(drawn(bench, two, model=back), drawn(bench, two, model=second.out(0)), 5e-3)


def test_half_of_a_text_encoder_and_half_of_itself_is_the_same(bench: Bench, two: Drawing) -> None:
    graph, clip = two.graph, two.clip
    half = graph.node("CLIPMergeSimple", clip1=clip, clip2=other(two).out(1), ratio=0.5)
    twice = graph.node("CLIPMergeAdd", clip1=clip, clip2=clip)
    once = graph.node("CLIPMergeSubtract", clip1=twice, clip2=clip, multiplier=1.0)
    expected = bench.value(graph, graph.node("CLIPTextEncode", text="a cat", clip=clip))[0][0]
    for merged in (half, once):
        found = bench.value(graph, graph.node("CLIPTextEncode", text="a cat", clip=merged))[0][0]
        assert close(found, expected, 1e-3)


def test_models_that_are_not_alike_are_refused_naming_the_input(bench: Bench, two: Drawing) -> None:
    wide = other(two, "wide.safetensors")
    merged = two.graph.node("ModelMergeSimple", model1=two.model, model2=wide.out(0), ratio=0.5)
    assert bench.message(two.graph, merged).startswith("ModelMergeSimple: input model2: model2 is of another family")
    merged = two.graph.node("CLIPMergeSimple", clip1=two.clip, clip2=wide.out(1), ratio=0.5)
    assert "clip2 is of another family" in bench.message(two.graph, merged)
    alone = other(two, "unet_only.safetensors")
    merged = two.graph.node("CLIPMergeSimple", clip1=two.clip, clip2=alone.out(1), ratio=0.5)
    assert "no text encoder" in bench.message(two.graph, merged)
