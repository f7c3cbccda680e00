"""ControlNets of every kind, texts of their own, and phrases in boxes, in whole graphs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.folders import Folders
from engine.graph.builder import Handle
from tests import control_files
from tests.nodes.bench import Bench, Drawing, close


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny networks are slower with more, and other work shares the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def keep(bench: Bench) -> Callable[..., str]:
    """Writes a file of models, and gives back its name."""

    def written(tensors: dict[str, Tensor], name: str = "net.safetensors", kind: str = "controlnet") -> str:
        folder = bench.folders.base / "models" / kind
        folder.mkdir(parents=True, exist_ok=True)
        save_file({key: tensor.detach().contiguous() for key, tensor in tensors.items()}, folder / name)
        return name

    return written


def denoiser(folders: Folders) -> dict[str, Tensor]:
    start = "model.diffusion_model."
    whole = load_file(folders.path("checkpoints", "tiny.safetensors"))
    return {name.removeprefix(start): each.float() for name, each in whole.items() if name.startswith(start)}


def loaded(drawing: Drawing, name: str) -> Handle:
    return drawing.graph.node("ControlNetLoader", control_net_name=name)


def applied(drawing: Drawing, net: Any, image: Any, node: str = "ControlNetApplyAdvanced", **changes: Any) -> Handle:
    inputs = {
        "positive": drawing.positive,
        "negative": drawing.negative,
        "control_net": net,
        "image": image,
        "strength": 0.8,
        "start_percent": 0.0,
        "end_percent": 1.0,
    }
    return drawing.graph.node(node, **{**inputs, **changes})


def drawn(bench: Bench, drawing: Drawing, both: Handle) -> Tensor:
    return bench.value(drawing.graph, drawing.sampled(positive=both.out(0), negative=both.out(1)))["samples"]


def test_a_difference_on_its_model_draws_as_the_whole_net(bench: Bench, keep: Callable[..., str]) -> None:
    drawing = Drawing()
    image = drawing.picture("hint.png", bench)
    whole = loaded(drawing, keep(control_files.controlnet(), "whole.safetensors"))
    name = keep(control_files.difference(denoiser(bench.folders)), "difference.safetensors")
    net = drawing.graph.node("DiffControlNetLoader", model=drawing.model, control_net_name=name)
    expected = drawn(bench, drawing, applied(drawing, whole, image))
    assert close(drawn(bench, drawing, applied(drawing, net, image)), expected, 1e-3)
    assert not close(bench.value(drawing.graph, drawing.sampled())["samples"], expected, 1e-2)


def test_a_control_lora_draws_as_the_net_it_stands_for_on_the_model_that_draws(
    bench: Bench, keep: Callable[..., str]
) -> None:
    drawing = Drawing()
    image = drawing.picture("hint.png", bench)
    lora, merged = control_files.control_lora(denoiser(bench.folders))
    expected = drawn(bench, drawing, applied(drawing, loaded(drawing, keep(merged, "merged.safetensors")), image))
    small = applied(drawing, loaded(drawing, keep(lora, "lora.safetensors")), image)
    assert close(drawn(bench, drawing, small), expected, 1e-3)


def test_a_control_lora_of_another_model_names_the_weight(bench: Bench, keep: Callable[..., str]) -> None:
    name = keep(control_files.control_lora(denoiser(bench.folders))[0])
    drawing = Drawing("wide.safetensors")
    both = applied(drawing, loaded(drawing, name), drawing.picture("hint.png", bench))
    message = bench.message(drawing.graph, drawing.sampled(positive=both.out(0), negative=both.out(1)))
    assert "net.safetensors: made for another model family; input_blocks.1.1" in message


def test_a_union_net_is_told_the_kind_of_its_hints(bench: Bench, keep: Callable[..., str]) -> None:
    drawing = Drawing()
    image = drawing.picture("hint.png", bench)
    net = loaded(drawing, keep(control_files.controlnet(kinds=6)))

    def of_kind(kind: str) -> Handle:
        return drawing.graph.node("SetUnionControlNetType", control_net=net, type=kind)

    plain = drawn(bench, drawing, applied(drawing, net, image))
    auto, depth = (drawn(bench, drawing, applied(drawing, of_kind(kind), image)) for kind in ("auto", "depth"))
    assert torch.equal(auto, plain)
    assert not close(depth, plain, 1e-3)
    both = applied(drawing, of_kind("repaint"), image)
    message = bench.message(drawing.graph, drawing.sampled(positive=both.out(0), negative=both.out(1)))
    assert "knows hints of kind 0 to 5, got 7" in message


def test_nodes_for_nets_with_a_vae_or_a_mask_do_the_same_for_nets_without(bench: Bench) -> None:
    drawing = Drawing()
    image = drawing.picture("hint.png", bench)
    net = loaded(drawing, "tiny.safetensors")
    expected = drawn(bench, drawing, applied(drawing, net, image))
    with_vae = applied(drawing, net, image, "ControlNetApplySD3", vae=drawing.vae)
    mask = bench.constant(drawing.graph, torch.ones(1, 64, 64))
    with_mask = applied(drawing, net, image, "ControlNetInpaintingAliMamaApply", vae=drawing.vae, mask=mask)
    assert all(torch.equal(drawn(bench, drawing, both), expected) for both in (with_vae, with_mask))


def test_a_net_may_read_a_text_of_its_own(bench: Bench) -> None:
    drawing = Drawing()
    image, net = drawing.picture("hint.png", bench), loaded(drawing, "tiny.safetensors")

    def told(text: str) -> Tensor:
        sides = {
            name: drawing.graph.node("CLIPTextEncodeControlnet", clip=drawing.clip, conditioning=side, text=text)
            for name, side in (("positive", drawing.positive), ("negative", drawing.negative))
        }
        return drawn(bench, drawing, applied(drawing, net, image, **sides))

    # Longer than the texts of the denoiser: the two are not batched by length together.
    assert not close(told("a lighthouse " * 60), told("a bird"), 1e-4)
    own = drawing.graph.node(
        "CLIPTextEncodeControlnet", clip=drawing.clip, conditioning=drawing.positive, text="a red apple, (glossy:1.3)"
    )
    same = drawn(bench, drawing, applied(drawing, net, image, positive=own))
    assert close(same, drawn(bench, drawing, applied(drawing, net, image)), 1e-3)


def test_a_net_with_a_mask_in_its_hint_asks_for_it(bench: Bench, keep: Callable[..., str]) -> None:
    drawing = Drawing()
    net = loaded(drawing, keep(control_files.controlnet(hint_channels=4)))
    both = applied(drawing, net, bench.constant(drawing.graph, torch.rand(1, 20, 20, 3)))
    assert "image: this ControlNet reads hints of 4 channels (colours and a mask), got 3" in bench.message(
        drawing.graph, both
    )
    whole = applied(drawing, net, bench.constant(drawing.graph, torch.rand(1, 20, 20, 4)))
    assert drawn(bench, drawing, whole).isfinite().all()


def test_an_adapter_for_deeper_denoisers_is_refused(bench: Bench, keep: Callable[..., str]) -> None:
    drawing = Drawing()
    net = loaded(drawing, keep(control_files.adapter()))
    both = applied(drawing, net, drawing.picture("hint.png", bench))
    message = bench.message(drawing.graph, drawing.sampled(positive=both.out(0), negative=both.out(1)))
    assert "the T2I-Adapter of net.safetensors adds to blocks of …, …, 32" in message
    assert "made for another model family" in message


# phrases in boxes


def boxed(drawing: Drawing, net: Handle, text: str, conditioning: Any = None, **box: int) -> Handle:
    return drawing.graph.node(
        "GLIGENTextBoxApply",
        conditioning_to=conditioning or drawing.positive,
        clip=drawing.clip,
        gligen_textbox_model=net,
        text=text,
        **{"width": 32, "height": 32, "x": 0, "y": 0, **box},
    )


def test_phrases_are_drawn_in_their_boxes(bench: Bench, keep: Callable[..., str]) -> None:
    drawing = Drawing()
    keep(control_files.gligen(), "boxes.safetensors", "gligen")
    net = drawing.graph.node("GLIGENLoader", gligen_name="boxes.safetensors")
    one = boxed(drawing, net, "a bird")
    two = boxed(drawing, net, "a tree", one, x=32, y=8)
    plain, first, second = (
        bench.value(drawing.graph, drawing.sampled(positive=each))["samples"] for each in (drawing.positive, one, two)
    )
    assert not close(first, plain, 1e-3)
    assert not close(second, first, 1e-3)
    _, options = bench.value(drawing.graph, two)[0]
    kind, _, boxes = options["gligen"]
    assert kind == "position"
    assert [box[1:] for box in boxes] == [(4, 4, 0, 0), (4, 4, 1, 4)]
    assert boxes[0][0].shape == (1, 64)


def test_a_text_encoder_of_another_family_is_named(bench: Bench, keep: Callable[..., str]) -> None:
    drawing = Drawing("wide.safetensors")
    keep(control_files.gligen(), "boxes.safetensors", "gligen")
    net = drawing.graph.node("GLIGENLoader", gligen_name="boxes.safetensors")
    message = bench.message(drawing.graph, boxed(drawing, net, "a bird"))
    assert "clip: this GLIGEN reads summaries of 64 features, this text encoder makes 128" in message


def test_a_file_that_is_no_gligen_is_named(bench: Bench, keep: Callable[..., str]) -> None:
    drawing = Drawing()
    keep(control_files.controlnet(), "boxes.safetensors", "gligen")
    net = drawing.graph.node("GLIGENLoader", gligen_name="boxes.safetensors")
    assert "boxes.safetensors: a ControlNet; put it in models/controlnet" in bench.message(drawing.graph, net)
