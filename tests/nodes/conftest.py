"""What node tests share: folders of their own, a run that remembers, and tiny models in SD1's layout."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.folders import Folders
from engine.graph.events import Event
from engine.graph.run import Run
from engine.models.controlnet import ControlNet, ControlNetConfig
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.models.vae import AutoencoderKL, VAEConfig
from engine.text.clip import TextConfig, TextEncoder
from tests.nodes.bench import Bench

CONTEXT = 64
UNET = UNetConfig(
    model_channels=32,
    channel_multipliers=(1, 2),
    res_blocks=(1, 1),
    input_depths=(1, 1),
    output_depths=(1, 1, 1, 1),
    context_width=CONTEXT,
)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Empty folders; none of the models that come with the program."""
    for name in ("input", "output", "temp"):
        (tmp_path / "base" / name).mkdir(parents=True)
    return Folders(tmp_path / "base", embedded=tmp_path / "embedded")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def run(events: list[Event]) -> Run:
    return Run("1", events.append)


@pytest.fixture
def noise() -> Callable[..., Tensor]:
    """Numbers of 0..1 that are the same every time, in any shape."""

    def numbers(*shape: int, seed: int = 0) -> Tensor:
        return torch.rand(shape, generator=torch.Generator().manual_seed(seed))

    return numbers


@pytest.fixture
def condition() -> Callable[..., list[list[Any]]]:
    """A CONDITIONING with one entry and these options."""

    def made(**options: Any) -> list[list[Any]]:
        return [[torch.zeros(1, 77, 8), options]]

    return made


def weights(network: nn.Module, prefix: str, seed: int) -> dict[str, Tensor]:
    """Random weights under which activations stay near one, so that every part of a network shows in its result."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            continue
        drawn = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim == 1:
            drawn = drawn * 0.02 + float(name.endswith("weight"))
        elif "embedding" in name:
            drawn = drawn * 0.02
        else:
            drawn = drawn / math.sqrt(math.prod(tensor.shape[1:]))
        made[prefix + name] = drawn.half()
    return made


def checkpoint(seed: int = 0, context: int = CONTEXT) -> dict[str, Tensor]:
    """A Stable Diffusion 1 checkpoint of about 10 MB."""
    unet = UNet(UNetConfig(**{**vars(UNET), "context_width": context}))
    vae = AutoencoderKL(VAEConfig(channels=32, multipliers=(1, 1, 1, 1), res_blocks=1))
    text = TextEncoder(TextConfig(width=context, layers=2, heads=1, mlp_width=64))
    return {
        **weights(unet, "model.diffusion_model.", seed),
        **weights(vae, "first_stage_model.", seed + 1),
        **weights(text, "cond_stage_model.transformer.text_model.", seed + 2),
    }


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder: a checkpoint, one without text and VAE, one of another width, a VAE, a ControlNet, a LoRA."""
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "vae", "loras", "controlnet"):
        (root / folder).mkdir()
    full = checkpoint()
    unet = {name: tensor for name, tensor in full.items() if name.startswith("model.")}
    vae = {name: tensor for name, tensor in full.items() if name.startswith("first_stage_model.")}
    save_file(full, root / "checkpoints" / "tiny.safetensors")
    save_file(unet, root / "checkpoints" / "unet_only.safetensors")
    save_file(checkpoint(context=128), root / "checkpoints" / "wide.safetensors")
    save_file(_without(vae, "first_stage_model."), root / "vae" / "tiny.safetensors")
    net = ControlNet(ControlNetConfig(unet=UNET, hint_widths=(16, 16, 16, 16)))
    save_file(weights(net, "control_model.", 7), root / "controlnet" / "tiny.safetensors")
    save_file(_lora(unet), root / "loras" / "tiny.safetensors")
    return root


def _without(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def _lora(unet: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rank 4 on one query of the UNet and one layer of the text encoder."""
    generator = torch.Generator().manual_seed(9)
    places = {
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k": (32, CONTEXT),
        "lora_te_text_model_encoder_layers_1_mlp_fc1": (64, CONTEXT),
    }
    made = {}
    for place, (rows, columns) in places.items():
        made[f"{place}.lora_up.weight"] = torch.randn(rows, 4, generator=generator)
        made[f"{place}.lora_down.weight"] = torch.randn(4, columns, generator=generator)
        made[f"{place}.alpha"] = torch.tensor(4.0)
    return made


@pytest.fixture
def bench(models: Path, tmp_path: Path) -> Bench:
    return Bench(models, tmp_path / "base")
