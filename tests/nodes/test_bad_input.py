"""What a graph can get wrong about models, latents and texts: one readable error that names the node and the input."""

import pickle
from typing import Any

import pytest
import torch
from PIL import Image as Picture
from safetensors.torch import save

from engine.graph.builder import Builder
from engine.graph.validate import validate
from tests.nodes.bench import Bench, Drawing

# what can go wrong


def test_a_checkpoint_without_a_text_encoder_says_so(bench: Bench) -> None:
    drawing = Drawing("unet_only.safetensors")
    message = bench.message(drawing.graph, drawing.positive)
    assert message.startswith("CLIPTextEncode: input clip: the checkpoint has no text encoder")


def test_a_checkpoint_without_a_vae_says_so(bench: Bench) -> None:
    drawing = Drawing("unet_only.safetensors")
    picture = drawing.picture("a.png", bench)
    mask = bench.constant(drawing.graph, torch.zeros(1, 64, 64))
    for node in (
        drawing.graph.node("VAEDecode", samples=drawing.latent, vae=drawing.vae),
        drawing.graph.node("VAEEncode", pixels=picture, vae=drawing.vae),
        drawing.graph.node("VAEEncodeForInpaint", pixels=picture, vae=drawing.vae, mask=mask, grow_mask_by=0),
    ):
        assert "input vae: the checkpoint has no VAE inside" in bench.message(drawing.graph, node)


def test_a_text_of_another_model_family_is_named(bench: Bench) -> None:
    drawing = Drawing()
    drawing.clip = drawing.graph.node("CheckpointLoaderSimple", ckpt_name="wide.safetensors").out(1)
    message = bench.message(drawing.graph, drawing.sampled(positive=drawing.text("a red apple")))
    assert "positive" in message
    assert "the text has 128 features, this model reads 64" in message


def test_a_latent_of_another_model_family_is_named(bench: Bench) -> None:
    drawing = Drawing()
    pixels = drawing.graph.node("VAELoader", vae_name="pixel_space")
    latent = drawing.graph.node("VAEEncode", pixels=drawing.picture("a.png", bench), vae=pixels)
    message = bench.message(drawing.graph, drawing.sampled(latent_image=latent))
    assert "latent_image: the latent has 3 channels, this model works on 4" in message
    decoded = drawing.graph.node("VAEDecode", samples=latent, vae=drawing.vae)
    assert "samples: the latent has 3 channels" in bench.message(drawing.graph, decoded)


def test_a_controlnet_of_another_model_family_is_named(bench: Bench) -> None:
    drawing = Drawing("wide.safetensors")
    both = drawing.graph.node(
        "ControlNetApplyAdvanced",
        positive=drawing.positive,
        negative=drawing.negative,
        control_net=drawing.graph.node("ControlNetLoader", control_net_name="tiny.safetensors"),
        image=drawing.picture("a.png", bench),
        strength=1.0,
        start_percent=0.0,
        end_percent=1.0,
    )
    message = bench.message(drawing.graph, drawing.sampled(positive=both.out(0), negative=both.out(1)))
    assert "positive: the ControlNet reads texts of 64 features, this one has 128" in message


@pytest.mark.parametrize("shape", [(1, 4, 4, 3), (1, 64, 64, 1)])
def test_a_picture_that_an_autoencoder_cannot_read_is_named(shape: tuple[int, ...], bench: Bench) -> None:
    drawing = Drawing()
    pixels = bench.constant(drawing.graph, torch.zeros(shape))
    encoded = drawing.graph.node("VAEEncode", pixels=pixels, vae=drawing.vae)
    assert "VAEEncode: input pixels: expected" in bench.message(drawing.graph, encoded)


DAMAGED = {
    "empty.safetensors": b"",
    "cut.safetensors": b"\x10\0\0\0{",
    "text.ckpt": b"hello",
    "pickle.ckpt": pickle.dumps({"a": 1}),
}
UNKNOWN = {"unknown.safetensors": save({"what": torch.zeros(2)})}  # as a LoRA it is put on nothing, with a warning


@pytest.mark.parametrize(
    ("class_type", "folder", "widget"),
    [
        ("CheckpointLoaderSimple", "checkpoints", "ckpt_name"),
        ("VAELoader", "vae", "vae_name"),
        ("ControlNetLoader", "controlnet", "control_net_name"),
        ("LoraLoaderModelOnly", "loras", "lora_name"),
        ("LoraLoader", "loras", "lora_name"),
    ],
)
def test_a_file_that_is_no_model_is_named_with_its_input(
    class_type: str, folder: str, widget: str, bench: Bench
) -> None:
    (bench.folders.base / "models" / folder).mkdir(parents=True)
    for name, content in (DAMAGED if folder == "loras" else {**DAMAGED, **UNKNOWN}).items():
        (bench.folders.base / "models" / folder / name).write_bytes(content)
        drawing = Drawing()
        more: dict[str, Any] = {"model": drawing.model, "strength_model": 1.0} if folder == "loras" else {}
        more |= {"clip": drawing.clip, "strength_clip": 1.0} if class_type == "LoraLoader" else {}
        loader = drawing.graph.node(class_type, **{widget: name}, **more)
        message = bench.message(drawing.graph, loader)
        assert message.startswith(f"{class_type}: input {widget}: ")
        assert name in message


@pytest.mark.parametrize("class_type", ["LoadImage", "LoadImageMask"])
def test_a_file_that_is_no_picture_is_named_with_its_input(class_type: str, bench: Bench) -> None:
    (bench.folders.input / "text.png").write_bytes(b"hello")
    Picture.new("1", (60_000, 1)).save(bench.folders.input / "wide.png")
    for name in ("text.png", "wide.png"):
        graph = Builder()
        loader = graph.node(class_type, image=name, **({"channel": "red"} if class_type.endswith("Mask") else {}))
        assert bench.message(graph, loader).startswith(f"{class_type}: input image: {name}")


def test_a_place_that_cannot_be_written_to_is_named_with_its_input(bench: Bench) -> None:
    (bench.folders.output / "file").write_bytes(b"I am no folder")
    drawing = Drawing()
    saved = drawing.graph.node("SaveImage", images=drawing.picture("a.png", bench), filename_prefix="file/cat")
    message = bench.message(drawing.graph, saved)
    assert message.startswith("SaveImage: input filename_prefix: ")
    assert "cannot be written to" in message


@pytest.mark.parametrize("weight", ["nan", "inf", "-inf", "1e999"])
def test_a_weight_that_is_no_number_is_named_with_its_text(weight: str, bench: Bench) -> None:
    drawing = Drawing()
    message = bench.message(drawing.graph, drawing.text(f"a (cat:{weight})"))
    assert message.startswith("CLIPTextEncode: input text: ")
    assert "cat" in message


@pytest.mark.parametrize("class_type", ["LoadImage", "LoadImageMask"])
@pytest.mark.parametrize("name", [None, 5, {}, "gone.png", "a\ud800.png"])
def test_a_name_of_no_picture_is_refused_at_its_input(class_type: str, name: object, bench: Bench) -> None:
    graph = Builder()
    loader = graph.node(class_type, image=name, **({"channel": "red"} if class_type.endswith("Mask") else {}))
    graph.node("PreviewImage", images=loader)
    found = {(each.node, each.input, each.kind) for each in validate(graph.prompt(), bench.registry).problems}
    kinds = {kind for node, input, kind in found if (node, input) == (loader.id, "image")}
    assert len(kinds) == 1
    assert kinds <= {"invalid_input_type", "custom_validation_failed"}


@pytest.mark.parametrize("prefix", ["x" * 300, "a/" * 2000 + "x", "a\nb", {"a": 1}, None, float("nan"), "../a"])
def test_a_prefix_no_file_can_have_is_refused_before_sampling(prefix: object, bench: Bench) -> None:
    drawing = Drawing()
    decoded = drawing.graph.node("VAEDecode", samples=drawing.latent, vae=drawing.vae)
    graph = drawing.graph
    saved = graph.node("SaveImage", images=decoded, filename_prefix=prefix)
    (problem,) = validate(graph.prompt(), bench.registry).problems
    assert (problem.node, problem.input) == (saved.id, "filename_prefix")


@pytest.mark.parametrize("name", ["../tiny.safetensors", "/etc/passwd", "tiny\0.safetensors"])
def test_a_model_name_cannot_lead_out_of_its_folder(name: str, bench: Bench) -> None:
    for class_type, widget in (
        ("CheckpointLoaderSimple", "ckpt_name"),
        ("VAELoader", "vae_name"),
        ("ControlNetLoader", "control_net_name"),
    ):
        graph = Builder()
        loader = graph.node(class_type, **{widget: name})
        graph.node("PreviewImage", images=loader)
        problems = validate(graph.prompt(), bench.registry).problems
        assert (loader.id, widget) in {(problem.node, problem.input) for problem in problems}
        assert class_type in bench.message(graph, loader)
