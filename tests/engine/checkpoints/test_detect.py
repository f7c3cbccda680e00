import gzip
import json
from pathlib import Path

import pytest

from engine.checkpoints.detect import FAMILIES, detect
from engine.checkpoints.tensors import TensorFile
from engine.errors import CheckpointError

LAYOUTS = Path(__file__).parents[2] / "data" / "checkpoint_layouts"


def layout(name):
    packed = (LAYOUTS / f"{name}.json.gz").read_bytes()
    return {key: tuple(shape) for key, shape in json.loads(gzip.decompress(packed)).items()}


def file(shapes, name="x.safetensors"):
    return TensorFile(Path(name), shapes, {}, lambda names: {})


@pytest.mark.parametrize("name", ["sd15", "sd15_inpainting"])
def test_published_sd1_layouts_are_recognised(name):
    match = detect(file(layout(name)))
    assert match.family.id == "sd1"
    assert match.prefix == "model.diffusion_model."


def test_instruct_pix2pix_is_sd1_with_eight_channels():
    shapes = {**layout("sd15"), "model.diffusion_model.input_blocks.0.0.weight": (320, 8, 3, 3)}
    assert detect(file(shapes)).family.id == "sd1"


@pytest.mark.parametrize(("name", "id"), [("sd21", "sd2"), ("sdxl_base", "sdxl")])
def test_published_layouts_of_later_families_are_recognised(name, id):
    match = detect(file(layout(name)))
    assert match.family.id == id
    names = layout(name)
    for spec in match.family.texts:
        assert any(key.startswith(spec.prefix) for key in names)
    assert any(key.startswith(match.family.vae_prefix) for key in names)


@pytest.mark.parametrize(
    ("name", "key", "shape", "id"),
    [
        ("sd21", "input_blocks.0.0.weight", (320, 9, 3, 3), "sd2"),
        ("sd21", "input_blocks.0.0.weight", (320, 5, 3, 3), "sd2"),
        ("sd21", "label_emb.0.0.weight", (1280, 1536), "sd2_unclip"),
        ("sd21", "label_emb.0.0.weight", (1280, 2048), "sd2_unclip"),
        ("sd21", "label_emb.0.0.weight", (1280, 4), "lotus_d"),
        ("sdxl_base", "input_blocks.0.0.weight", (320, 8, 3, 3), "sdxl"),
        ("sdxl_base", "input_blocks.0.0.weight", (320, 9, 3, 3), "sdxl"),
        ("sdxl_base", "label_emb.0.0.weight", (1536, 2560), "sdxl_refiner"),
    ],
)
def test_relatives_are_told_apart_by_one_tensor(name, key, shape, id):
    assert detect(file({**layout(name), f"model.diffusion_model.{key}": shape})).family.id == id


@pytest.mark.parametrize(
    ("name", "extra", "family"),
    [
        ("sd15", {"cc_projection.weight": (768, 772)}, "Stable Zero123"),
        (
            "sd21",
            {"model.diffusion_model.input_blocks.1.1.time_stack.0.attn1.to_q.weight": (320, 320)},
            "Stable Video Diffusion",
        ),
    ],
)
def test_families_we_cannot_run_yet_are_named(name, extra, family):
    with pytest.raises(CheckpointError, match=f"checkpoint of {family}, which is not supported yet"):
        detect(file({**layout(name), **extra}))


def test_no_family_claims_a_layout_before_its_own_turn():
    for name, family in (("sd15", "sd1"), ("sd21", "sd2"), ("sdxl_base", "sdxl")):
        prefix = "model.diffusion_model."
        shapes = {key.removeprefix(prefix): shape for key, shape in layout(name).items() if key.startswith(prefix)}
        assert [each.id for each in FAMILIES if not each.unmet(shapes)] == [family]


@pytest.mark.parametrize(
    ("key", "family"),
    [
        ("model.diffusion_model.joint_blocks.0.context_block.attn.qkv.weight", "Stable Diffusion 3"),
        ("model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale", "Flux"),
        ("double_blocks.0.img_attn.norm.key_norm.scale", "Flux"),
    ],
)
def test_transformers_are_named_by_their_blocks(key, family):
    extra = {f"{key.rpartition('.')[0]}.{n}": (4,) for n in range(6)}
    with pytest.raises(CheckpointError, match=f"checkpoint of {family}"):
        detect(file({key: (4, 4), **extra}))


def test_an_unknown_family_is_told_the_nearest_and_what_is_missing():
    shapes = {key: shape for key, shape in layout("sd15").items() if not key.endswith("out.2.weight")}
    with pytest.raises(
        CheckpointError, match=r"nearest is Stable Diffusion 1\.x, but missing: an output layer"
    ) as caught:
        detect(file(shapes))
    assert "out.2.weight" in str(caught.value)


def test_a_file_with_nothing_of_the_kind_is_told_what_a_checkpoint_has():
    with pytest.raises(CheckpointError, match=r"nothing in it looks like a denoiser .* such as bert\.layer") as caught:
        detect(file({"bert.layer.weight": (4, 4)}))
    assert "input_blocks.0.0.weight" in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "net."])
@pytest.mark.parametrize(
    ("name", "missing", "there"),
    [("input_blocks.0.0.weight", "out.2.weight", "a UNet"), ("out.2.weight", "a UNet", "an output layer")],
)
def test_a_file_with_a_tensor_of_a_denoiser_is_told_only_what_it_lacks(prefix, name, missing, there):
    shapes = {prefix + name: (320, 4, 3, 3), "cond_stage_model.x": (2,)} if prefix else {name: (320, 4, 3, 3)}
    with pytest.raises(CheckpointError, match=r"of a denoiser only .* is in it.*attn2\.to_k") as caught:
        detect(file(shapes))
    said, lacking = str(caught.value).split("but missing: ")
    assert prefix + name in said
    assert missing in lacking
    assert there not in lacking


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        ({"lora_unet_mid_block.lora_up.weight": (4, 4)}, "a LoRA"),
        (layout("controlnet_sd15"), "a ControlNet"),
        ({"decoder.conv_in.weight": (4, 4, 3, 3)}, "an autoencoder"),
        ({"text_model.encoder.layers.0.self_attn.q_proj.weight": (4, 4)}, "a text encoder"),
        ({"vision_model.encoder.layers.0.self_attn.q_proj.weight": (4, 4)}, "a CLIP vision model"),
        ({"position_net.null_positive_feature": (768,)}, "a GLIGEN"),
        ({"body.0.block1.weight": (320, 320, 3, 3)}, "a T2I-Adapter"),
        ({"style_embedding": (1, 8, 1024)}, "a style model"),
        ({"emb_params": (4, 768)}, "a learned embedding"),
        ({"model.1.sub.0.RDB1.conv1.0.weight": (32, 64, 3, 3)}, "an upscale model"),
    ],
)
def test_a_file_in_the_wrong_folder_is_told_where_it_belongs(shapes, kind):
    with pytest.raises(CheckpointError, match=f"not a checkpoint but {kind}"):
        detect(file(shapes))
