"""Small networks of every family, and diffusers' twins with the same weights."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL as DiffusersVAE
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_controlnet_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from torch import Tensor, nn

from engine.models.unet_config import UNetConfig
from engine.models.vae import VAEConfig

LAYOUTS = Path(__file__).parents[2] / "data" / "checkpoint_layouts"
Shapes = dict[str, tuple[int, ...]]

UNETS = {
    "sd1": UNetConfig(model_channels=32, context_width=24, heads=4),
    "sd2": UNetConfig(model_channels=32, context_width=40, head_width=16, linear_projections=True),
    "sdxl": UNetConfig(
        model_channels=32,
        channel_multipliers=(1, 2, 4),
        res_blocks=(2, 2, 2),
        input_depths=(0, 0, 2, 2, 3, 3),
        middle_depth=3,
        output_depths=(3, 3, 3, 2, 2, 2, 0, 0, 0),
        context_width=48,
        head_width=16,
        linear_projections=True,
        class_width=56,
    ),
    "miniature": UNetConfig(
        model_channels=64,
        channel_multipliers=(1, 2, 2),
        res_blocks=(2, 2, 2),
        input_depths=(1,) * 6,
        output_depths=(1,) * 9,
        context_width=192,
        heads=8,
    ),
    "inpainting": UNetConfig(in_channels=9, model_channels=32, context_width=24, heads=8),
}
VAES = {
    "sd1": VAEConfig(channels=32),
    "miniature": VAEConfig(channels=64, multipliers=(1, 1, 2, 2), res_blocks=1),
    "flux": VAEConfig(channels=32, latent_channels=16, embed_channels=None),
}


def layout(name: str, prefix: str = "") -> Shapes:
    """The names and shapes of a published checkpoint's tensors that begin with a prefix."""
    tensors = json.loads(gzip.decompress((LAYOUTS / f"{name}.json.gz").read_bytes()))
    return {key[len(prefix) :]: tuple(shape) for key, shape in tensors.items() if key.startswith(prefix)}


def shapes(net: nn.Module) -> Shapes:
    """The names and shapes of a network's own tensors."""
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


def randomised(net: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every weight anew, those that begin at 0 or 1 as well, so that none of them can be ignored unnoticed."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        noise = torch.empty_like(parameter).uniform_(-1.0, 1.0, generator=generator)
        parameter.data = noise * (1.7 / fan_in**0.5) if parameter.ndim > 1 else 0.5 + 0.5 * noise
    return net.eval()


def twin_unet(net: nn.Module, config: UNetConfig) -> nn.Module:
    """diffusers' UNet of the same shape, holding the same tensors (not copies)."""
    with torch.device("meta"):
        twin = UNet2DConditionModel(**_unet_arguments(config), out_channels=config.out_channels, **_upward(config))
    checkpoint = {f"model.diffusion_model.{name}": tensor for name, tensor in net.state_dict().items()}
    twin.load_state_dict(convert_ldm_unet_checkpoint(checkpoint, dict(twin.config)), assign=True)
    return twin.eval()


def twin_controlnet(net: nn.Module, config: UNetConfig) -> nn.Module:
    """diffusers' ControlNet of the same shape, holding the same tensors (not copies)."""
    with torch.device("meta"):
        twin = ControlNetModel(**_unet_arguments(config))
    weights = convert_controlnet_checkpoint(dict(net.state_dict()), dict(twin.config))
    # diffusers' converter knows the names of label_emb in UNets only.
    for ours, theirs in {
        "label_emb.0.0": "class_embedding.linear_1",
        "label_emb.0.2": "class_embedding.linear_2",
    }.items():
        found = {name: tensor for name, tensor in net.state_dict().items() if name.startswith(ours)}
        weights.update({name.replace(ours, theirs): tensor for name, tensor in found.items()})
    twin.load_state_dict(weights, assign=True)
    return twin.eval()


def twin_vae(net: nn.Module, config: VAEConfig) -> DiffusersVAE:
    """diffusers' autoencoder of the same shape, holding the same tensors (not copies)."""
    levels = len(config.multipliers)
    with torch.device("meta"):
        twin = DiffusersVAE(
            block_out_channels=tuple(config.channels * m for m in config.multipliers),
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            layers_per_block=config.res_blocks,
            latent_channels=config.latent_channels,
            use_quant_conv=config.embed_channels is not None,
            use_post_quant_conv=config.embed_channels is not None,
        )
    checkpoint = {f"first_stage_model.{name}": tensor for name, tensor in net.state_dict().items()}
    twin.load_state_dict(convert_ldm_vae_checkpoint(checkpoint, dict(twin.config)), assign=True)
    return twin.eval()


def apart(a: Tensor, b: Tensor) -> float:
    """The largest difference, beside the larger one's spread."""
    return ((a - b).abs().max() / b.std()).item()


def norms(net: nn.Module) -> Counter[tuple[int, ...]]:
    """Every group norm's channels, groups and epsilon: too small a matter to show in the numbers that nets return."""
    return Counter((m.num_channels, m.num_groups, m.eps) for m in net.modules() if isinstance(m, nn.GroupNorm))


def _unet_arguments(config: UNetConfig) -> dict[str, Any]:
    widths = tuple(config.width(level) for level in range(len(config.res_blocks)))
    depths = _level_depths(config)
    return {
        "in_channels": config.in_channels,
        "block_out_channels": widths,
        "layers_per_block": config.res_blocks[0],
        "down_block_types": tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths),
        # diffusers calls the number of heads attention_head_dim; its documentation keeps the mistake on purpose.
        "attention_head_dim": tuple(config.heads_at(width) for width in widths),
        "cross_attention_dim": config.context_width,
        "use_linear_projection": config.linear_projections,
        "transformer_layers_per_block": (*(max(depth, 1) for depth in depths[:-1]), config.middle_depth or 1),
        "class_embed_type": None if config.class_width is None else "projection",
        "projection_class_embeddings_input_dim": config.class_width,
    }


def _upward(config: UNetConfig) -> dict[str, Any]:
    depths = reversed(_level_depths(config))
    return {"up_block_types": tuple("CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in depths)}


def _level_depths(config: UNetConfig) -> list[int]:
    return list(config.input_depths[:: config.res_blocks[0]])
