"""An IP-Adapter, LoRA, hooks, a ControlNet, FreeU and perturbed attention in one picture, put on and taken off."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.graph.builder import Handle
from engine.models.unet import UNet
from tests.ip_adapter_files import adapter_tensors, eyes
from tests.nodes.bench import Bench, Drawing, close
from tests.nodes.conftest import UNET
from tests.nodes.test_hooks import NAME, both, hook, scheduled
from tests.nodes.test_ip_adapter import EYES, PLUS, guided, picture

TOOLS = ("LoRA", "IP-Adapter", "hooks", "ControlNet", "FreeU", "PAG")
STEPS = 2


@pytest.fixture
def ready(bench: Bench) -> Bench:
    """A bench with an IP-Adapter for the tiny model, and its eyes."""
    for kind in ("ipadapter", "clip_vision"):
        (bench.folders.base / "models" / kind).mkdir(parents=True)
    torch.save(adapter_tensors("plus", UNet(UNET)), bench.folders.base / "models" / "ipadapter" / PLUS)
    save_file(eyes(), bench.folders.base / "models" / "clip_vision" / EYES)
    return bench


class Together:
    """The same graph with more and fewer tools, as somebody has them who puts nodes in and takes them out."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.start = bench, Drawing()
        self.image = bench.constant(self.start.graph, picture())
        self.hint = bench.constant(self.start.graph, picture(3, size=(64, 64)))

    def wired(self, tools: Sequence[str], weight: float = 0.9) -> dict[str, Any]:
        """What a sampler is given, with these tools."""
        start, node = self.start, self.start.graph.node
        model: Any = start.model
        conds: dict[str, Any] = {"positive": start.positive, "negative": start.negative}
        if "LoRA" in tools:
            model = node("LoraLoaderModelOnly", model=model, lora_name=NAME, strength_model=0.7)
        if "IP-Adapter" in tools:
            model = guided(start, self.bench, model=model, image=self.image, weight=weight)
        if "hooks" in tools:
            conds = both(start, hooks=scheduled(start, hook(start, 2.0), (1.0, 0.0), (-1.0, 0.5)))
        if "ControlNet" in tools:
            net = node("ControlNetLoader", control_net_name=NAME)
            pair = node("ControlNetApplyAdvanced", **conds, control_net=net, image=self.hint, strength=0.6)
            conds = {"positive": pair.out(0), "negative": pair.out(1)}
        if "FreeU" in tools:
            model = node("FreeU", model=model, b1=1.3, b2=1.4, s1=0.9, s2=0.2)
        if "PAG" in tools:
            model = node("PerturbedAttentionGuidance", model=model, scale=2.0)
        return {"model": model, **conds}

    def drawn(self, sampler: Handle) -> tuple[Tensor, list[str]]:
        """The picture, and the kinds of nodes that had to run for it."""
        outcome = self.bench.run(self.start.graph, sampler).check()
        kinds = {key: each["class_type"] for key, each in self.start.graph.to_json().items()}
        ((latent,), *_) = outcome.values[sampler.id]
        return latent["samples"], [kinds[key] for key in outcome.executed]


def test_every_tool_changes_the_picture_and_leaves_nothing_behind(ready: Bench) -> None:
    together = Together(ready)
    start = together.start
    # Each of these was drawn when the tools after it had never been there.
    pictures = [
        together.drawn(start.sampled(steps=STEPS, **together.wired(TOOLS[:count])))[0]
        for count in range(len(TOOLS) + 1)
    ]
    for number, tool in enumerate(TOOLS):
        assert torch.isfinite(pictures[number + 1]).all()
        assert not close(pictures[number + 1], pictures[number], 1e-3), tool
    # The other sampler node draws the same, but must draw it anew; all before it is still there.
    for count in reversed(range(len(TOOLS) + 1)):
        again, ran = together.drawn(start.sampled_part(0, 10000, steps=STEPS, **together.wired(TOOLS[:count])))
        assert torch.equal(again, pictures[count]), f"something of {TOOLS[count:]} stayed"
        assert ran == ["KSamplerAdvanced"]
    for tool in TOOLS[:-1]:
        without, ran = together.drawn(
            start.sampled(steps=STEPS, **together.wired([each for each in TOOLS if each != tool]))
        )
        assert not close(without, pictures[-1], 1e-3), tool
        assert not {"CheckpointLoaderSimple", "ControlNetLoader", "IPAdapterModelLoader", "CLIPVisionLoader"} & {*ran}


def test_another_weight_runs_only_what_follows_it_and_the_models_weights_stay(ready: Bench) -> None:
    together = Together(ready)
    start = together.start
    first, _ = together.drawn(start.sampled(steps=STEPS, **together.wired(TOOLS)))
    second, ran = together.drawn(start.sampled(steps=STEPS, **together.wired(TOOLS, weight=0.3)))
    assert not close(second, first, 1e-3)
    assert ran == ["IPAdapterAdvanced", "FreeU", "PerturbedAttentionGuidance", "KSampler"]
    model = ready.value(start.graph, start.checkpoint)
    file = load_file(ready.folders.path("checkpoints", NAME))
    with model.ready() as network:
        kept = {name: each.float() for name, each in network.named_parameters()}
    prefix = "model.diffusion_model."
    expected = {name.removeprefix(prefix): each.float() for name, each in file.items() if name.startswith(prefix)}
    assert kept.keys() == expected.keys()
    assert all(torch.equal(kept[name], expected[name]) for name in expected)
