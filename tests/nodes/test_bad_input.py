"""What a graph can get wrong about models, latents and texts: one readable error that names the node and the input."""

import pytest

from engine.graph.builder import Builder
from engine.graph.validate import validate
from tests.nodes.bench import Bench, Drawing

# what can go wrong


def test_a_checkpoint_without_a_text_encoder_says_so(bench: Bench) -> None:
    drawing = Drawing("unet_only.safetensors")
    message = bench.message(drawing.graph, drawing.positive)
    assert "CLIPTextEncode" in message
    assert "no text encoder" in message


def test_a_checkpoint_without_a_vae_says_so(bench: Bench) -> None:
    drawing = Drawing("unet_only.safetensors")
    decoded = drawing.graph.node("VAEDecode", samples=drawing.latent, vae=drawing.vae)
    assert "VAE" in bench.message(drawing.graph, decoded)


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


@pytest.mark.parametrize("weight", ["nan", "inf", "-inf", "1e999"])
def test_a_weight_that_is_no_number_is_named_with_its_text(weight: str, bench: Bench) -> None:
    drawing = Drawing()
    message = bench.message(drawing.graph, drawing.text(f"a (cat:{weight})"))
    assert "CLIPTextEncode" in message
    assert "cat" in message


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
