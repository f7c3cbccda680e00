"""Filter nodes, in a graph; the numbers are engine/pictures' own tests'."""

from typing import Any

import pytest
import torch

from engine.graph.builder import Builder
from tests.nodes.bench import Bench

FILTERS: list[tuple[str, dict[str, Any]]] = [
    ("ImageBlur", {"blur_radius": 2, "sigma": 1.0}),
    ("ImageSharpen", {"sharpen_radius": 1, "sigma": 1.0, "alpha": 0.5}),
    ("ImageQuantize", {"colors": 4, "dither": "bayer-4"}),
    ("Canny", {"low_threshold": 0.1, "high_threshold": 0.3}),
    ("Morphology", {"operation": "close", "kernel_size": 3}),
    ("ImageAddNoise", {"seed": 3, "strength": 0.2}),
]


@pytest.mark.parametrize(("name", "inputs"), FILTERS)
def test_a_filter_changes_a_copy_of_the_same_size(name: str, inputs: dict[str, Any], bench: Bench) -> None:
    graph, given = Builder(), torch.rand(2, 12, 16, 3, generator=torch.Generator().manual_seed(0))
    made = bench.value(graph, graph.node(name, image=bench.constant(graph, given), **inputs))
    assert made.shape == (2, 12, 16, 3)
    assert not torch.equal(made, given)
    assert 0 <= made.min() <= made.max() <= 1


@pytest.mark.parametrize(
    ("name", "inputs", "said"),
    [
        ("ImageBlur", {"blur_radius": 31, "sigma": 1.0}, "input blur_radius: a radius of 31 pixels is too large"),
        ("Canny", {"low_threshold": 0.5, "high_threshold": 0.3}, "low_threshold 0.5 must be above 0 and at most"),
    ],
)
def test_what_a_filter_cannot_do_is_said(name: str, inputs: dict[str, Any], said: str, bench: Bench) -> None:
    graph = Builder()
    given = bench.constant(graph, torch.zeros(1, 8, 8, 3))
    assert said in bench.message(graph, graph.node(name, image=given, **inputs))


def test_a_grey_picture_has_no_colours_to_choose_from(bench: Bench) -> None:
    graph = Builder()
    given = bench.constant(graph, torch.zeros(1, 8, 8, 1))
    message = bench.message(graph, graph.node("ImageQuantize", image=given, colors=4, dither="none"))
    assert "image: expected colour pictures" in message


def test_pictures_are_blended(bench: Bench) -> None:
    graph = Builder()
    one, two = (bench.constant(graph, torch.full((1, 4, 4, 3), value)) for value in (0.5, 1.0))
    made = graph.node("ImageBlend", image1=one, image2=two, blend_factor=0.5, blend_mode="multiply")
    assert bench.value(graph, made).unique().tolist() == [0.5]


def test_a_picture_is_taken_apart_and_put_together(bench: Bench) -> None:
    graph, given = Builder(), torch.rand(2, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    parts = graph.node("ImageRGBToYUV", image=bench.constant(graph, given))
    made = graph.node("ImageYUVToRGB", Y=parts.out(0), U=parts.out(1), V=parts.out(2))
    assert torch.allclose(bench.value(graph, made), given, atol=1e-4)
    small = bench.constant(graph, torch.zeros(2, 4, 4, 3))
    wrong = graph.node("ImageYUVToRGB", Y=parts.out(0), U=small, V=parts.out(2))
    assert "Y, U, V: expected pictures of one size" in bench.message(graph, wrong)
