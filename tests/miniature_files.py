"""A models folder of random miniatures: one small file of every kind that people own, in the layout of the real ones.

They are drawn, not trained: pictures made with them show nothing, but every part of a graph that loads them works.
Their names are those of published files, which the graphs in workflows/with_your_files ask for.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.models.controlnet import ControlNet, ControlNetConfig
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.models.vae import AutoencoderKL, VAEConfig
from engine.text.clip import TextConfig, TextEncoder
from tests import control_files, depth_files, families
from tests.ip_adapter_files import adapter_tensors, eyes
from tests.nodes.conftest import CONTEXT, UNET, weights
from tests.style_files import WIDTH as STYLE_WIDTH
from tests.style_files import style_tensors
from tests.upscaler_files import drawn, names_of

Tensors = Mapping[str, Tensor]
VAE_PREFIX = "first_stage_model."
CLIP = "cond_stage_model.transformer."
QUERY = "input_blocks_1_1_transformer_blocks_0_attn2_to_k"


def write(base: Path) -> None:
    """Fills `models` and `input` below this folder."""
    vae = weights(AutoencoderKL(VAEConfig(channels=32, multipliers=(1, 1, 1, 1), res_blocks=1)), VAE_PREFIX, 1)
    _checkpoints(base / "models" / "checkpoints", vae)
    _adapters(base / "models")
    _apart(base / "models", vae)
    (base / "models" / "upscale_models").mkdir()
    torch.save(drawn(names_of("basicsr", 2)), base / "models" / "upscale_models" / "RealESRGAN_x4plus.pth")
    depth = base / "models" / "geometry_estimation" / "depth_anything_3_mono_large.safetensors"
    _save(depth_files.tensors(depth_files.TINY_MONO), depth)
    gradient = Image.linear_gradient("L").resize((64, 64))
    (base / "input").mkdir(parents=True)
    Image.merge("RGBA", (gradient, gradient.rotate(90), gradient, gradient)).save(base / "input" / "picture.png")


def _checkpoints(folder: Path, vae: Tensors) -> None:
    for name, unet, seed in (
        ("v1-5-pruned-emaonly-fp16", UNET, 0),
        ("dreamshaper_8", UNET, 10),
        ("sd-v1-5-inpainting", replace(UNET, in_channels=9), 0),
        ("instruct-pix2pix-00-22000", replace(UNET, in_channels=8), 0),
        ("v1-5-pruned", control_files.FOUR_LEVELS, 0),  # T2I-Adapters are for four levels
    ):
        _save({**_sd1(unet, seed), **vae}, folder / f"{name}.safetensors")
    unclip = families.sd2(vector=2048, kind="class").tensors
    seeing = families.below("embedder.model.visual.", families.open_clip_eyes(families.eyes(1024)))
    for name, tensors in (
        ("sd_xl_base_1.0", families.sdxl().tensors),
        ("sd_xl_turbo_1.0_fp16", families.sdxl().tensors),
        ("playground-v2.5-1024px-aesthetic.fp16", families.sdxl().tensors),
        ("sd_xl_refiner_1.0", families.refiner().tensors),
        ("v2-1_768-ema-pruned", families.sd2().tensors),
        ("sd21-unclip-h", {**unclip, **seeing}),
    ):
        own = {key: each for key, each in tensors.items() if not key.startswith(VAE_PREFIX)}
        _save({**own, **vae}, folder / f"{name}.safetensors")


def _sd1(unet: UNetConfig, seed: int) -> dict[str, Tensor]:
    text = TextEncoder(TextConfig(width=CONTEXT, layers=2, heads=1, mlp_width=64))
    return {
        **weights(UNet(unet), families.NETWORK, seed),
        **weights(text, "cond_stage_model.transformer.text_model.", seed + 2),
    }


def _apart(folder: Path, vae: Tensors) -> None:
    """A UNet, a text encoder and an autoencoder in files of their own."""
    parts = _sd1(UNET, 0)
    unet = {name.removeprefix(families.NETWORK): each for name, each in parts.items() if name.startswith("model.")}
    clip = {name.removeprefix(CLIP): each for name, each in parts.items() if name.startswith(CLIP)}
    _save(unet, folder / "diffusion_models" / "sd15_unet.safetensors")
    _save(clip, folder / "text_encoders" / "clip_l.safetensors")
    alone = {name.removeprefix(VAE_PREFIX): each for name, each in vae.items()}
    _save(alone, folder / "vae" / "vae-ft-mse-840000-ema-pruned.safetensors")


def _adapters(folder: Path) -> None:
    _controls(folder)
    _seeing(folder)
    up, down = _random(32, 4, seed=1), _random(4, CONTEXT, seed=2)
    lora = {f"lora_unet_{QUERY}.lora_up.weight": up, f"lora_unet_{QUERY}.lora_down.weight": down}
    dora = {**lora, f"lora_unet_{QUERY}.dora_scale": torch.full((1, CONTEXT), 2.0)}
    for name, tensors in (("add_detail", lora), ("lcm-lora-sdv1-5", lora), ("my_dora", dora)):
        _save(tensors, folder / "loras" / f"{name}.safetensors")
    _save({"emb_params": _random(2, CONTEXT, seed=3)}, folder / "embeddings" / "EasyNegative.safetensors")
    layers = {"linear.0.weight": 0.5 * torch.eye(CONTEXT), "linear.0.bias": torch.ones(CONTEXT)}
    (folder / "hypernetworks").mkdir()
    torch.save({CONTEXT: (layers, layers)}, folder / "hypernetworks" / "my_hypernetwork.pt")


def _controls(folder: Path) -> None:
    unet = {name.removeprefix(families.NETWORK): each.float() for name, each in weights(UNet(UNET), "", 0).items()}
    deep = ControlNet(ControlNetConfig(control_files.FOUR_LEVELS, hint_widths=(16, 16, 16, 16)))
    sdxl = families.sdxl().tensors
    names = [name for name in sdxl if name.startswith(families.NETWORK)]
    encoder = UNetConfig.from_shapes({name.removeprefix(families.NETWORK): tuple(sdxl[name].shape) for name in names})
    union = ControlNet(ControlNetConfig(encoder, hint_widths=(16, 16, 16, 16), kinds=6))
    for name, tensors in (
        ("control_v11p_sd15_canny_fp16", _halved(deep)),
        ("controlnet-union-sdxl-1.0_promax", _halved(union)),
        ("control_lora_rank128_v11p_sd15_canny_fp16", control_files.control_lora(unet)[0]),
        ("t2iadapter_canny_sd15v2", control_files.adapter()),
    ):
        _save(tensors, folder / "controlnet" / f"{name}.safetensors")
    _save(control_files.gligen(), folder / "gligen" / "gligen_sd14_textbox_pruned.safetensors")


def _seeing(folder: Path) -> None:
    """What makes pictures into a part of the prompt."""
    _save(eyes(), folder / "clip_vision" / "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors")
    _save(eyes(width=STYLE_WIDTH), folder / "clip_vision" / "clip-vit-large-patch14.safetensors")
    for kind in ("ipadapter", "style_models"):
        (folder / kind).mkdir()
    torch.save(adapter_tensors("plus", UNet(UNET)), folder / "ipadapter" / "ip-adapter-plus_sd15.bin")
    torch.save(style_tensors(context=CONTEXT), folder / "style_models" / "t2iadapter_style_sd14v1.pth")


def _halved(net: nn.Module) -> dict[str, Tensor]:
    return {name: each * 0.5 for name, each in weights(net, "", 6).items()}


def _random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _save(tensors: Tensors, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: each.detach().contiguous().clone() for name, each in tensors.items()}, path)
