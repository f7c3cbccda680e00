"""IP-Adapters as they are published: names and shapes of every file, and what their presets find.

Source of the shapes: the networks of github.com/tencent-ailab/IP-Adapter (ip_adapter.py, ip_adapter_faceid.py,
tutorial_train_plus.py) with the CLIP models of huggingface.co/h94/IP-Adapter; layers are numbered by diffusers' UNets.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from engine.adapters import ip_adapter, ip_adapter_files
from engine.checkpoints import image_prompts
from engine.devices.device import CPU, Place
from engine.errors import CheckpointError
from engine.models.ip_adapter import IpAdapter, IpAdapterConfig
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from tests.engine.models.nets import Shapes, layout

PLACE = Place(CPU, torch.float32)
H, G = "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors", "CLIP-ViT-bigG-14-laion2B-39B-b160k.safetensors"
SUMMARY, CELLS = {H: 1024, G: 1280}, {H: 1280, G: 1664}
CONTEXT = {"sd1": 768, "sdxl": 2048}
PUBLISHED = {
    "ip-adapter_sd15.safetensors": ("sd1", "standard", H, "STANDARD (medium strength)"),
    "ip-adapter_sd15_light_v11.bin": ("sd1", "standard", H, "LIGHT - SD1.5 only (low strength)"),
    "ip-adapter_sd15_vit-G.safetensors": ("sd1", "standard", G, "VIT-G (medium strength)"),
    "ip-adapter-plus_sd15.safetensors": ("sd1", "plus", H, "PLUS (high strength)"),
    "ip-adapter-plus-face_sd15.safetensors": ("sd1", "plus", H, "PLUS FACE (portraits)"),
    "ip-adapter-full-face_sd15.safetensors": ("sd1", "full", H, "FULL FACE - SD1.5 only (portraits stronger)"),
    "ip-adapter_sdxl.safetensors": ("sdxl", "standard", G, "VIT-G (medium strength)"),
    "ip-adapter_sdxl_vit-h.safetensors": ("sdxl", "standard", H, "STANDARD (medium strength)"),
    "ip-adapter-plus_sdxl_vit-h.safetensors": ("sdxl", "plus", H, "PLUS (high strength)"),
    "ip-adapter-plus-face_sdxl_vit-h.safetensors": ("sdxl", "plus", H, "PLUS FACE (portraits)"),
}


def linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def projection(family: str, kind: str, eyes: str) -> Shapes:
    context = CONTEXT[family]
    if kind == "standard":
        return {**linear("proj", 4 * context, SUMMARY[eyes]), **norm("norm", context)}
    cells = CELLS[eyes]
    if kind == "full":
        return {**linear("proj.0", cells, cells), **linear("proj.2", context, cells), **norm("proj.3", context)}
    # 12 heads for Stable Diffusion 1 and 20 for SDXL, 64 wide.
    width = inner = 768 if family == "sd1" else 1280
    shapes = {"latents": (1, 16, width), **linear("proj_in", width, cells), **linear("proj_out", context, width)}
    shapes |= norm("norm_out", context)
    for i in range(4):
        shapes |= {**norm(f"layers.{i}.0.norm1", width), **norm(f"layers.{i}.0.norm2", width)}
        shapes |= {f"layers.{i}.0.to_q.weight": (inner, width), f"layers.{i}.0.to_kv.weight": (2 * inner, width)}
        shapes |= {f"layers.{i}.0.to_out.weight": (width, inner), **norm(f"layers.{i}.1.0", width)}
        shapes |= {f"layers.{i}.1.1.weight": (4 * width, width), f"layers.{i}.1.3.weight": (width, 4 * width)}
    return shapes


@functools.cache
def layers(family: str) -> Shapes:
    """Keys and values, numbered by the places of diffusers' processors; those of self-attention have none."""
    config = {"cross_attention_dim": CONTEXT[family]}
    if family == "sdxl":
        downs = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")
        ups = tuple(each.replace("Down", "Up") for each in reversed(downs))
        depths = {"transformer_layers_per_block": (1, 2, 10), "attention_head_dim": (5, 10, 20)}
        config |= {"block_out_channels": (320, 640, 1280), "down_block_types": downs, "up_block_types": ups, **depths}
    with torch.device("meta"):
        net = UNet2DConditionModel(**config)
    found = {}
    for number, name in enumerate(net.attn_processors):
        if ".attn2." in name:
            width = net.get_submodule(name.removesuffix(".processor")).to_q.weight.shape[0]
            found |= {f"{number}.to_{each}_ip.weight": (width, CONTEXT[family]) for each in "kv"}
    return found


def published(name: str) -> Shapes:
    family, kind, eyes, _ = PUBLISHED[name]
    told = {f"image_proj.{key}": shape for key, shape in projection(family, kind, eyes).items()}
    return told | {f"ip_adapter.{key}": shape for key, shape in layers(family).items()}


@functools.cache
def widths(family: str) -> list[int]:
    """How wide the attentions of the real UNet are, in the order of files."""
    shapes = layout({"sd1": "sd15", "sdxl": "sdxl_base"}[family], "model.diffusion_model.")
    with torch.device("meta"):
        return [place.width for place in ip_adapter.cross_attentions(UNet(UNetConfig.from_shapes(shapes)))]


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_adapter_is_read_whole_and_fits_its_model(name: str) -> None:
    family, kind, eyes, _ = PUBLISHED[name]
    shapes = published(name)
    config = IpAdapterConfig.from_shapes(shapes)
    assert (config.kind, config.context_width) == (kind, CONTEXT[family])
    assert config.clip_width == (SUMMARY if kind == "standard" else CELLS)[eyes]
    with torch.device("meta"):
        net = IpAdapter(config)
    assert {key: tuple(each.shape) for key, each in net.named_parameters()} == shapes
    assert [width for _, width in config.layers] == widths(family)


def test_every_preset_finds_its_published_files() -> None:
    for name, (family, _, eyes, preset) in PUBLISHED.items():
        assert ip_adapter_files.adapter([*PUBLISHED], preset, family) == name
        assert ip_adapter_files.eyes([H, G], preset) == eyes


def faces(*, perceives: bool, lora: bool) -> Shapes:
    """A FaceID of Stable Diffusion 1: of 4 tokens from 512 numbers of InsightFace's."""
    shapes = {**linear("proj.0", 1024, 512), **linear("proj.2", 4 * 768, 1024), **norm("norm", 768)}
    if perceives:
        inside = {key: each for key, each in projection("sd1", "plus", H).items() if key != "latents"}
        shapes |= {f"perceiver_resampler.{key}": each for key, each in inside.items()}
    shapes = {f"image_proj.{key}": each for key, each in shapes.items()}
    shapes |= {f"ip_adapter.{key}": each for key, each in layers("sd1").items()}
    if lora:
        names = [f"ip_adapter.0.to_{each}_lora" for each in ("q", "k", "v", "out")]
        shapes |= {f"{name}.{each}.weight": (128, 320) for name in names for each in ("down", "up")}
    return shapes


def instant_id() -> Shapes:
    return {**published("ip-adapter-plus_sdxl_vit-h.safetensors"), "image_proj.proj_in.weight": (1280, 512)}


@pytest.mark.parametrize(
    ("shapes", "what"),
    [
        (lambda: faces(perceives=False, lora=True), "an IP-Adapter FaceID"),
        (lambda: faces(perceives=True, lora=True), "an IP-Adapter FaceID"),
        (lambda: faces(perceives=False, lora=False), "an IP-Adapter FaceID"),
        (instant_id, "InstantID"),
    ],
    ids=["faceid", "faceid-plus", "faceid-portrait", "instantid"],
)
def test_what_reads_the_numbers_of_a_face_recogniser_says_so(
    tmp_path: Path, shapes: Callable[[], Shapes], what: str
) -> None:
    path = tmp_path / "face.safetensors"
    # Shapes are those of the file where they say what it is; the rest is as small as can be.
    small = {key: shape if "image_proj.proj_in" in key else (1,) for key, shape in shapes().items()}
    save_file({key: torch.zeros(shape) for key, shape in small.items()}, path)
    with pytest.raises(CheckpointError) as caught:
        image_prompts.ip_adapter(path, PLACE)
    said = str(caught.value)
    assert said.startswith(f"face.safetensors: {what}")
    assert "embeddings of InsightFace, which is not built in" in said
    assert "ip-adapter-plus-face" in said
