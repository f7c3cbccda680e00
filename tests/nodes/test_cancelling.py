"""A cancel takes effect inside whatever a node is doing, and the next run draws what it would have drawn."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from engine.devices.interruption import install
from engine.errors import Cancelled
from engine.graph.builder import Handle
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.run import Run
from nodes import image, latent
from tests.nodes.bench import Bench, Drawing


class Layers:
    """Counts the layers that begin, and says stop after so many."""

    def __init__(self) -> None:
        self.count = 0
        self.limit = 10**9

    def begin(self, module: nn.Module, given: Any) -> None:
        self.count += 1

    def is_enough(self) -> bool:
        return self.count >= self.limit


@pytest.fixture
def layers() -> Iterator[Layers]:
    """Networks stop when the limit is reached; nodes themselves are never told."""
    counted = Layers()
    handles = [register_module_forward_pre_hook(counted.begin), install(counted.is_enough, pause=0.0)]
    yield counted
    for each in handles:
        each.remove()


def drawn(bench: Bench, drawing: Drawing) -> dict[str, Handle]:
    """One node for each kind of network; the sampled one wears a LoRA."""
    model, clip = (
        drawing.graph.node(
            "LoraLoader", model=drawing.model, clip=drawing.clip, lora_name="tiny.safetensors",
            strength_model=1.0, strength_clip=1.0,
        ).out(slot)
        for slot in (0, 1)
    )  # fmt: skip
    text = drawing.graph.node("CLIPTextEncode", text="a (red:1.3) apple", clip=clip)
    sampled = drawing.sampled(model=model, positive=text)
    return {
        "CLIPTextEncode": text,
        "KSampler": sampled,
        "VAEDecode": drawing.graph.node("VAEDecode", samples=sampled, vae=drawing.vae),
        "VAEEncode": drawing.graph.node("VAEEncode", pixels=drawing.picture("a.png", bench), vae=drawing.vae),
    }


@pytest.mark.parametrize("kind", ["CLIPTextEncode", "KSampler", "VAEDecode", "VAEEncode"])
def test_a_network_stops_in_the_middle_and_the_next_run_is_the_same_to_the_bit(
    kind: str, bench: Bench, layers: Layers
) -> None:
    bench.executor.cache.clear()
    expected = _tensor(bench, kind)
    total, layers.count = layers.count, 0
    layers.limit = total - 5
    bench.executor.cache.clear()
    drawing = Drawing()
    outcome = bench.run(drawing.graph, drawn(bench, drawing)[kind])
    assert outcome.status == "cancelled"
    assert layers.count == layers.limit
    layers.limit = 10**9
    bench.executor.cache.clear()
    assert torch.equal(_tensor(bench, kind), expected)


def test_a_patched_model_that_was_stopped_is_the_plain_one_again(bench: Bench, layers: Layers) -> None:
    drawing = Drawing()
    plain = bench.value(drawing.graph, drawing.sampled())["samples"]
    patched = drawn(bench, drawing)["KSampler"]
    layers.limit = layers.count + 150
    assert bench.run(drawing.graph, patched).status == "cancelled"
    layers.limit = 10**9
    bench.executor.cache.clear()
    assert torch.equal(bench.value(drawing.graph, drawing.sampled())["samples"], plain)


def test_a_plugins_network_stops_too(bench: Bench, layers: Layers) -> None:
    upscaler = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(100)))
    bench.registry.add(
        NodeType(
            "Upscale",
            lambda image: (upscaler(image.movedim(-1, 1)),),
            inputs=(Input("image", "IMAGE"),),
            outputs=(Output("IMAGE", "IMAGE"),),
        )
    )
    layers.limit = 20
    drawing = Drawing()
    node = drawing.graph.node("Upscale", image=drawing.picture("a.png", bench))
    assert bench.run(drawing.graph, node).status == "cancelled"
    assert layers.count == 20


Resize = Callable[[Tensor, str, Run], object]


def scale(images: Tensor, method: str, run: Run) -> object:
    return image.image_scale(image=images, upscale_method=method, width=9, height=7, crop="center", run=run)


def scale_latent(images: Tensor, method: str, run: Run) -> object:
    samples = {"samples": images.movedim(-1, 1)}
    return latent.latent_upscale_by(samples=samples, upscale_method=method, scale_by=2.0, run=run)


@pytest.mark.parametrize(
    ("resize", "method"), [(scale, "lanczos"), (scale, "bicubic"), (scale_latent, "bislerp"), (scale_latent, "area")]
)
def test_a_large_batch_is_left_between_its_pictures(resize: Resize, method: str, noise: Callable[..., Tensor]) -> None:
    asked: list[int] = []

    def is_cancelled() -> bool:
        asked.append(1)
        return len(asked) == 4

    with pytest.raises(Cancelled):
        resize(noise(50, 8, 8, 3), method, Run("1", print, is_cancelled))
    assert len(asked) == 4


def _tensor(bench: Bench, kind: str) -> Tensor:
    drawing = Drawing()
    value = bench.value(drawing.graph, drawn(bench, drawing)[kind])
    found = value[0][0] if kind == "CLIPTextEncode" else value["samples"] if isinstance(value, dict) else value
    assert isinstance(found, Tensor)
    return found
