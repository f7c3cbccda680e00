"""Values that are no numbers, wherever a graph brings them in: who is to blame is named, with input, file and key."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.graph.builder import Handle
from tests.nodes.bench import SIZE, Bench, Drawing

NAN = float("nan")
CELLS = SIZE // 8


@pytest.fixture
def drawing(bench: Bench, models: Path, key: str) -> Drawing:
    """The graph everyone starts from, with a checkpoint in which one weight is damaged."""
    folder = bench.folders.base / "models" / "checkpoints"
    folder.mkdir(parents=True)
    tensors = load_file(models / "checkpoints" / "tiny.safetensors")
    tensors[key][0] = NAN
    save_file(tensors, folder / "nan.safetensors")
    return Drawing("nan.safetensors")


def encoded(drawing: Drawing, bench: Bench) -> Handle:
    return drawing.graph.node("VAEEncode", pixels=drawing.picture("a.png", bench), vae=drawing.vae)


def decoded(drawing: Drawing, bench: Bench) -> Handle:
    return drawing.graph.node("VAEDecode", samples=drawing.latent, vae=drawing.vae)


def tiled(drawing: Drawing, bench: Bench) -> Handle:
    return drawing.graph.node("VAEDecodeTiled", samples=drawing.latent, vae=drawing.vae, tile_size=64, overlap=0)


def drawn(drawing: Drawing, bench: Bench) -> Handle:
    return drawing.sampled(steps=1)


def written(drawing: Drawing, bench: Bench) -> Handle:
    return drawing.positive


@pytest.mark.parametrize(
    ("key", "use", "said"),
    [
        ("first_stage_model.encoder.conv_in.weight", encoded, "the autoencoder of nan.safetensors: encoder.conv_in"),
        ("first_stage_model.decoder.conv_in.weight", decoded, "the autoencoder of nan.safetensors: decoder.conv_in"),
        ("first_stage_model.decoder.conv_in.weight", tiled, "the autoencoder of nan.safetensors: decoder.conv_in"),
        ("model.diffusion_model.out.2.weight", drawn, "the denoiser of nan.safetensors: out.2.weight"),
        (
            "cond_stage_model.transformer.text_model.final_layer_norm.bias",
            written,
            "the text encoder of nan.safetensors: final_layer_norm.bias",
        ),
    ],
)
def test_a_damaged_weight_is_named_with_its_file(drawing: Drawing, bench: Bench, use: object, said: str) -> None:
    assert callable(use)
    message = bench.message(drawing.graph, use(drawing, bench))
    assert said in message
    assert "holds values that are no numbers (NaN or infinite); the file is damaged, fetch it again" in message


def test_masks_hints_latents_and_pictures_are_named_at_their_inputs(bench: Bench) -> None:
    drawing = Drawing()
    graph = drawing.graph
    mask = bench.constant(graph, torch.full((1, CELLS, CELLS), NAN))
    pixels = bench.constant(graph, torch.full((1, SIZE, SIZE, 3), NAN))
    latent = bench.constant(graph, {"samples": torch.full((1, 4, CELLS, CELLS), NAN)})
    picture = drawing.picture("a.png", bench)
    net = graph.node("ControlNetLoader", control_net_name="tiny.safetensors")
    noise_mask = graph.node("SetLatentNoiseMask", samples=drawing.latent, mask=mask)
    masked = graph.node(
        "ConditioningSetMask", conditioning=drawing.positive, mask=mask, strength=1.0, set_cond_area="default"
    )
    no_numbers = "holds values that are no numbers (NaN or infinite)"
    tried = [
        (drawing.sampled(latent_image=noise_mask), f"KSampler: latent_image: noise_mask: it {no_numbers}"),
        (drawing.sampled(positive=masked), f"KSampler: positive: the mask of a condition {no_numbers}"),
        (drawing.sampled(negative=masked), f"KSampler: negative: the mask of a condition {no_numbers}"),
        (drawing.sampled(latent_image=latent), f"KSampler: latent_image: it {no_numbers}"),
        (
            graph.node("ControlNetApply", conditioning=drawing.positive, control_net=net, image=pixels, strength=1.0),
            f"ControlNetApply: image: it {no_numbers}",
        ),
        (graph.node("VAEDecode", samples=latent, vae=drawing.vae), f"VAEDecode: samples: it {no_numbers}"),
        (graph.node("VAEEncode", pixels=pixels, vae=drawing.vae), f"VAEEncode: pixels: it {no_numbers}"),
        (
            graph.node("VAEEncodeForInpaint", pixels=picture, vae=drawing.vae, mask=mask, grow_mask_by=0),
            f"VAEEncodeForInpaint: mask: it {no_numbers}",
        ),
        (
            graph.node(
                "InpaintModelConditioning",
                positive=drawing.positive,
                negative=drawing.negative,
                vae=drawing.vae,
                pixels=picture,
                mask=mask,
                noise_mask=True,
            ),
            f"InpaintModelConditioning: mask: it {no_numbers}",
        ),
    ]
    for node, said in tried:
        class_type, _, what = said.partition(": ")
        message = bench.message(graph, node)
        assert message.startswith(f"{class_type}: ")
        assert what in message
