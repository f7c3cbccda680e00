"""Checkpoints small enough to write in a moment, in the layouts of real ones."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from engine.models.controlnet import ControlNet, ControlNetConfig
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.models.vae import AutoencoderKL, VAEConfig
from engine.text.clip import TextConfig, TextEncoder

UNET = UNetConfig(
    model_channels=32,
    channel_multipliers=(1, 2),
    res_blocks=(1, 1),
    input_depths=(1, 1),
    output_depths=(1, 1, 1, 1),
    context_width=64,
)
VAE = VAEConfig(channels=32, multipliers=(1, 2), res_blocks=1)
TEXT = TextConfig(width=64, layers=2, heads=1, mlp_width=96, vocabulary=49408)


def random_weights(network: nn.Module, seed: int = 0, dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    """Weights under which activations stay near one and nothing is zero, so that every path shows."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, parameter in network.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            drawn = drawn * 0.02 + float(name.endswith("weight"))
        else:
            drawn = drawn / math.sqrt(math.prod(parameter.shape[1:]))
        made[name] = drawn.to(dtype)
    return made


@pytest.fixture(scope="session")
def networks() -> dict[str, nn.Module]:
    """The networks of a miniature, with weights in float32 that were rounded to half."""
    made: dict[str, nn.Module] = {
        "unet": UNet(UNET),
        "vae": AutoencoderKL(VAE),
        "text": TextEncoder(TEXT),
        "control": ControlNet(ControlNetConfig(unet=UNET, hint_widths=(16, 16, 16, 16))),
    }
    for seed, network in enumerate(made.values()):
        network.load_state_dict(random_weights(network, seed), strict=False)
        network.eval()
    return made


@pytest.fixture(scope="session")
def parts(networks: dict[str, nn.Module]) -> Callable[[str, str], dict[str, Tensor]]:
    """The weights of one network under a prefix, in half precision."""

    def weights(name: str, prefix: str = "") -> dict[str, Tensor]:
        return {prefix + key: value.detach().half() for key, value in networks[name].named_parameters()}

    return weights


@pytest.fixture
def full(miniature: dict[str, Tensor]) -> dict[str, Tensor]:
    """A whole checkpoint in SD1's layout, to be changed."""
    return dict(miniature)


@pytest.fixture(scope="session")
def miniature(parts: Callable[[str, str], dict[str, Tensor]]) -> dict[str, Tensor]:
    """A whole checkpoint in SD1's layout."""
    return {
        **parts("unet", "model.diffusion_model."),
        **parts("vae", "first_stage_model."),
        **parts("text", "cond_stage_model.transformer.text_model."),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(77.0)[None],
        "model_ema.decay": torch.tensor(0.999),
    }
