"""Miniatures of families in the layouts of their checkpoints, made of diffusers' and transformers' own networks.

The networks stay beside the checkpoint, so that what we draw with it is compared with what they draw.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from engine.checkpoints import keys
from engine.models.vae import AutoencoderKL, VAEConfig

VAE = VAEConfig(channels=32, multipliers=(1, 2), res_blocks=1)
NETWORK = "model.diffusion_model."


@dataclass
class Miniature:
    """A checkpoint in its family's layout, and the networks of others that it was made of."""

    tensors: dict[str, Tensor]
    unet: Any
    texts: tuple[Any, ...]


def sdxl(**unet: Any) -> Miniature:
    """SDXL's base: two text encoders, a vector of 2816."""
    small, large = text(32, 3, "quick_gelu"), text(64, 3, "gelu", projection=1280, seed=1)
    network = denoiser(text_width=96, vector=2816, **unet)
    return Miniature(
        {
            **below(NETWORK, ours(network)),
            **below("conditioner.embedders.0.transformer.", small.state_dict(), "text_model."),
            **below("conditioner.embedders.1.model.", open_clip(large)),
            **vae(),
        },
        network,
        (small, large),
    )


def refiner() -> Miniature:
    """SDXL's refiner: one text encoder, a vector of 2560."""
    large = text(64, 3, "gelu", projection=1280, seed=1)
    network = denoiser(text_width=64, vector=2560)
    tensors = {**below(NETWORK, ours(network)), **below("conditioner.embedders.0.model.", open_clip(large)), **vae()}
    return Miniature(tensors, network, (large,))


def sd2(**unet: Any) -> Miniature:
    """Stable Diffusion 2: OpenCLIP's text encoder, no vector (or unCLIP's)."""
    large = text(64, 3, "gelu", projection=48, seed=2)
    network = denoiser(text_width=64, levels=4, **unet)
    tensors = {**below(NETWORK, ours(network)), **below("cond_stage_model.model.", open_clip(large)), **vae()}
    return Miniature(tensors, network, (large,))


def x4_upscaler(autoencoder: nn.Module) -> Miniature:
    """The x4 upscaler: three more channels, a table of noise levels, cells that look at each other at one level only.

    `autoencoder` is diffusers', of three levels.
    """
    large = text(128, 3, "gelu", projection=48, seed=2)
    network = _randomised(UNet2DConditionModel(**X4_UPSCALER))
    names = keys.diffusers_vae_names({name: tuple(t.shape) for name, t in autoencoder.state_dict().items()})
    tensors = {
        **below(NETWORK, ours(network)),
        **below("cond_stage_model.model.", open_clip(large)),
        **below("first_stage_model.", keys.translated(_randomised(autoencoder, 3).state_dict(), names)),
        "low_scale_model.betas": torch.zeros(1000),
    }
    return Miniature(tensors, network, (large,))


X4_UPSCALER: dict[str, Any] = {
    "in_channels": 7,
    "out_channels": 4,
    "block_out_channels": (32, 64, 64, 128),
    "layers_per_block": 2,
    "down_block_types": ("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
    "up_block_types": (*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
    "only_cross_attention": (True, True, True, False),
    "attention_head_dim": 8,
    "cross_attention_dim": 128,
    "use_linear_projection": True,
    "num_class_embeds": 1000,
}
"""The published unet/config.json of stabilityai/stable-diffusion-x4-upscaler, eight times as narrow."""


def denoiser(
    text_width: int, vector: int | None = None, levels: int = 3, kind: str = "text_time", **options: Any
) -> UNet2DConditionModel:
    """A UNet with heads of width 64 and linear layers around its transformers, as SD2 and SDXL have."""
    widths = (64, 64, 128, 128) if levels == 4 else (32, 64, 128)
    with_text = (True, True, True, False) if levels == 4 else (False, True, True)
    further: dict[str, Any] = {}
    if vector is not None and kind == "text_time":
        further = {"addition_embed_type": kind, "addition_time_embed_dim": 256}
    elif vector is not None:
        further = {"class_embed_type": "projection"}
    torch.manual_seed(0)
    network = UNet2DConditionModel(
        block_out_channels=widths,
        layers_per_block=2,
        down_block_types=tuple("CrossAttnDownBlock2D" if each else "DownBlock2D" for each in with_text),
        up_block_types=tuple("CrossAttnUpBlock2D" if each else "UpBlock2D" for each in reversed(with_text)),
        attention_head_dim=tuple(max(1, width // 64) for width in widths),
        transformer_layers_per_block=1,
        cross_attention_dim=text_width,
        use_linear_projection=True,
        projection_class_embeddings_input_dim=vector,
        **further,
        **options,
    )
    return _randomised(network)


def text(width: int, layers: int, activation: str, projection: int | None = None, seed: int = 0) -> Any:
    """A CLIP text encoder with heads of width 64, as transformers has it."""
    torch.manual_seed(seed)
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        projection_dim=projection or 16,
        hidden_act=activation,
        bos_token_id=49406,
        eos_token_id=49407,
    )
    made = CLIPTextModel(config) if projection is None else CLIPTextModelWithProjection(config)
    return _randomised(made, seed)


def eyes(projection: int) -> Any:
    """A CLIP vision tower that sees 28 × 28 pixels, as transformers has it."""
    torch.manual_seed(4)
    config = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=1,
        patch_size=14,
        image_size=28,
        projection_dim=projection,
        hidden_act="quick_gelu",
    )
    return _randomised(CLIPVisionModelWithProjection(config), 4)


def tower(layers: int = 3, projection: int = 24) -> Any:
    """A CLIP vision tower that sees 32 × 32 pixels, as transformers starts its training."""
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=layers,
        num_attention_heads=1,
        patch_size=8,
        image_size=32,
        projection_dim=projection,
    )
    return CLIPVisionModelWithProjection(config).eval()


def open_clip_eyes(network: nn.Module) -> dict[str, Tensor]:
    """The weights of transformers' CLIP vision tower under OpenCLIP's names."""
    tensors = {name.removeprefix("vision_model."): tensor for name, tensor in network.state_dict().items()}
    return {
        "class_embedding": tensors["embeddings.class_embedding"],
        "conv1.weight": tensors["embeddings.patch_embedding.weight"],
        "positional_embedding": tensors["embeddings.position_embedding.weight"],
        **{f"ln_pre.{kind}": tensors[f"pre_layrnorm.{kind}"] for kind in ("weight", "bias")},
        **{f"ln_post.{kind}": tensors[f"post_layernorm.{kind}"] for kind in ("weight", "bias")},
        "proj": tensors["visual_projection.weight"].T.contiguous(),
        **_open_clip_blocks(tensors),
    }


def open_clip(network: nn.Module) -> dict[str, Tensor]:
    """The weights of transformers' CLIP text encoder under OpenCLIP's names."""
    tensors = {name.removeprefix("text_model."): tensor for name, tensor in network.state_dict().items()}
    return {
        "positional_embedding": tensors["embeddings.position_embedding.weight"],
        "token_embedding.weight": tensors["embeddings.token_embedding.weight"],
        "ln_final.weight": tensors["final_layer_norm.weight"],
        "ln_final.bias": tensors["final_layer_norm.bias"],
        "text_projection": tensors["text_projection.weight"].T.contiguous(),
        "logit_scale": torch.tensor(4.6052),
        **_open_clip_blocks(tensors),
    }


def _open_clip_blocks(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    modules = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
        "attn.out_proj": "self_attn.out_proj",
    }
    layers = sum(name.endswith("layer_norm1.weight") for name in tensors)
    for i in range(layers):
        theirs, here = f"transformer.resblocks.{i}", f"encoder.layers.{i}"
        for kind in ("weight", "bias"):
            parts = [tensors[f"{here}.self_attn.{each}_proj.{kind}"] for each in "qkv"]
            made[f"{theirs}.attn.in_proj_{kind}"] = torch.cat(parts)
            made.update({f"{theirs}.{a}.{kind}": tensors[f"{here}.{b}.{kind}"] for a, b in modules.items()})
    return made


def ours(network: nn.Module) -> dict[str, Tensor]:
    """The weights of a diffusers UNet under the original names."""
    tensors = network.state_dict()
    names = keys.unet_names(keys.diffusers_unet_config({name: tuple(t.shape) for name, t in tensors.items()}))
    return {keys.our_name(name, names): tensor for name, tensor in tensors.items()}


def vae() -> dict[str, Tensor]:
    """A random autoencoder below its prefix."""
    torch.manual_seed(3)
    return below("first_stage_model.", dict(_randomised(AutoencoderKL(VAE)).named_parameters()))


def below(prefix: str, tensors: dict[str, Tensor], inner: str = "") -> dict[str, Tensor]:
    """The tensors with a prefix before their names, and `inner` behind that where the names lack it."""
    return {prefix + inner + name.removeprefix(inner): tensor.detach() for name, tensor in tensors.items()}


def _randomised(network: Any, seed: int = 0) -> Any:
    """Weights under which activations stay near one and nothing is zero, so that every path shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            drawn = drawn * 0.02 + float(name.endswith("weight"))
        elif "token_embedding" in name or "position_embedding" in name:
            drawn = drawn * 0.1
        else:
            drawn = drawn / math.sqrt(math.prod(parameter.shape[1:]))
        parameter.data = drawn
    return network.eval().requires_grad_(False)
