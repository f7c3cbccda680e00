"""A models folder of random miniatures: one small file of every kind that people own, in the layout of the real ones.

They are drawn, not trained: pictures made with them show nothing, but every part of a graph that loads them works.
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
from tests import control_files, families
from tests.engine.adapters.test_ip_adapter import adapter_tensors
from tests.engine.checkpoints.test_upscalers import drawn, names_of
from tests.nodes.conftest import CONTEXT, UNET, weights
from tests.nodes.test_ip_adapter import eyes

Tensors = Mapping[str, Tensor]
VAE_PREFIX = "first_stage_model."
QUERY = "input_blocks_1_1_transformer_blocks_0_attn2_to_k"


def write(base: Path) -> None:
    """Fills `models` and `input` below this folder."""
    vae = weights(AutoencoderKL(VAEConfig(channels=32, multipliers=(1, 1, 1, 1), res_blocks=1)), VAE_PREFIX, 1)
    _checkpoints(base / "models" / "checkpoints", vae)
    _adapters(base / "models")
    _save(drawn(names_of("basicsr", 2)), base / "models" / "upscale_models" / "x4.safetensors")
    gradient = Image.linear_gradient("L").resize((64, 64))
    (base / "input").mkdir(parents=True)
    Image.merge("RGBA", (gradient, gradient.rotate(90), gradient, gradient)).save(base / "input" / "picture.png")
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    _save({"latent_tensor": latent, "latent_format_version_0": torch.zeros(0)}, base / "input" / "kept.latent")


def _checkpoints(folder: Path, vae: Tensors) -> None:
    for name, unet, seed in (
        ("sd1", UNET, 0),
        ("other_sd1", UNET, 10),
        ("inpaint", replace(UNET, in_channels=9), 0),
        ("pix2pix", replace(UNET, in_channels=8), 0),
        ("four_levels", control_files.FOUR_LEVELS, 0),
    ):
        _save({**_sd1(unet, seed), **vae}, folder / f"{name}.safetensors")
    unclip = families.sd2(vector=2048, kind="class").tensors
    seeing = families.below("embedder.model.visual.", families.open_clip_eyes(families.eyes(1024)))
    for name, tensors in (
        ("sdxl", families.sdxl().tensors),
        ("refiner", families.refiner().tensors),
        ("sd2", families.sd2().tensors),
        ("unclip", {**unclip, **seeing}),
    ):
        own = {key: each for key, each in tensors.items() if not key.startswith(VAE_PREFIX)}
        _save({**own, **vae}, folder / f"{name}.safetensors")


def _sd1(unet: UNetConfig, seed: int) -> dict[str, Tensor]:
    text = TextEncoder(TextConfig(width=CONTEXT, layers=2, heads=1, mlp_width=64))
    return {
        **weights(UNet(unet), families.NETWORK, seed),
        **weights(text, "cond_stage_model.transformer.text_model.", seed + 2),
    }


def _adapters(folder: Path) -> None:
    net = UNet(UNET)
    unet = {name.removeprefix(families.NETWORK): each.float() for name, each in weights(net, "", 0).items()}
    _save(control_files.controlnet(), folder / "controlnet" / "net.safetensors")
    _save(control_files.control_lora(unet)[0], folder / "controlnet" / "lora.safetensors")
    deep = ControlNet(ControlNetConfig(control_files.FOUR_LEVELS, hint_widths=(16, 16, 16, 16)))
    _save(_halved(deep), folder / "controlnet" / "deep.safetensors")
    _save(control_files.adapter(), folder / "controlnet" / "t2i.safetensors")
    _save(control_files.gligen(), folder / "gligen" / "boxes.safetensors")
    _save(eyes(), folder / "clip_vision" / "eyes.safetensors")
    (folder / "ipadapter").mkdir()
    torch.save(adapter_tensors("plus", net), folder / "ipadapter" / "plus.bin")
    up, down = _random(32, 4, seed=1), _random(4, CONTEXT, seed=2)
    lora = {f"lora_unet_{QUERY}.lora_up.weight": up, f"lora_unet_{QUERY}.lora_down.weight": down}
    _save(lora, folder / "loras" / "lora.safetensors")
    _save(
        {**lora, f"lora_unet_{QUERY}.dora_scale": torch.full((1, CONTEXT), 2.0)}, folder / "loras" / "dora.safetensors"
    )
    _save({"emb_params": _random(2, CONTEXT, seed=3)}, folder / "embeddings" / "glow.safetensors")
    layers = {"linear.0.weight": 0.5 * torch.eye(CONTEXT), "linear.0.bias": torch.ones(CONTEXT)}
    (folder / "hypernetworks").mkdir()
    torch.save({CONTEXT: (layers, layers)}, folder / "hypernetworks" / "style.pt")


def _halved(net: nn.Module) -> dict[str, Tensor]:
    return {name: each * 0.5 for name, each in weights(net, "", 6).items()}


def _random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _save(tensors: Tensors, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: each.detach().contiguous().clone() for name, each in tensors.items()}, path)
