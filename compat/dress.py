"""Our networks in ComfyUI's classes: the same modules with the same weights, under the names plugins know.

`dress` changes the classes of a network's modules to ComfyUI's subclasses of them. Nothing else about it changes, and
the engine goes on using it as before.
"""

from typing import Any

import torch
from torch import nn

from engine.models import layers, transformer, unet, vae
from engine.models.unet_config import UNetConfig


def dress(network: nn.Module) -> nn.Module:
    """The same network, each of its modules of the class that ComfyUI has for it."""
    clothes = _clothes()
    module: Any
    for module in network.modules():
        wanted = clothes.get(type(module))
        if wanted is not None:
            module.__class__ = wanted
        if type(module) in clothes.values() and hasattr(module, "wear"):
            module.wear()
    return network


def _clothes() -> dict[type[nn.Module], type[nn.Module]]:
    from comfy.ldm.models import autoencoder
    from comfy.ldm.modules import attention
    from comfy.ldm.modules.diffusionmodules import model, openaimodel

    return {
        unet.UNet: openaimodel.UNetModel,
        unet.Block: openaimodel.TimestepEmbedSequential,
        layers.ResBlock: openaimodel.ResBlock,
        layers.Upsample: openaimodel.Upsample,
        layers.Downsample: openaimodel.Downsample,
        transformer.SpatialTransformer: attention.SpatialTransformer,
        transformer.TransformerBlock: attention.BasicTransformerBlock,
        transformer.CrossAttention: attention.CrossAttention,
        transformer.FeedForward: attention.FeedForward,
        transformer.GEGLU: attention.GEGLU,
        vae.AutoencoderKL: autoencoder.AutoencoderKL,
        vae.Encoder: model.Encoder,
        vae.Decoder: model.Decoder,
        vae.PlainResBlock: model.ResnetBlock,
        vae.PixelAttention: model.AttnBlock,
        vae.Shrink: model.Downsample,
    }


def with_operations(network: nn.Module, operations: Any, dtype: torch.dtype | None, device: Any) -> nn.Module:
    """The network with each of its layers made by a plugin's classes instead, their weights not yet set."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            made = _made_by(layer, operations, {"dtype": dtype, "device": device})
            if made is not None:
                setattr(parent, name, made)
    return network


def _made_by(layer: nn.Module, operations: Any, built: dict[str, Any]) -> nn.Module | None:
    made: nn.Module | None = None
    if isinstance(layer, nn.Linear):
        made = operations.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, **built)
    elif isinstance(layer, nn.Conv2d):
        made = operations.Conv2d(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            stride=layer.stride,
            padding=layer.padding,
            bias=layer.bias is not None,
            **built,
        )
    elif isinstance(layer, nn.GroupNorm):
        made = operations.GroupNorm(layer.num_groups, layer.num_channels, eps=layer.eps, **built)
    elif isinstance(layer, nn.LayerNorm):
        made = operations.LayerNorm(layer.normalized_shape, eps=layer.eps, **built)
    return made


def unet_config(config: UNetConfig) -> dict[str, Any]:
    """The configuration of one of our UNets as ComfyUI's dictionary."""
    middle = config.middle_depth
    made = {
        "use_checkpoint": False,
        "image_size": 32,
        "use_spatial_transformer": True,
        "legacy": False,
        "in_channels": config.in_channels,
        "out_channels": config.out_channels,
        "model_channels": config.model_channels,
        "num_res_blocks": list(config.res_blocks),
        "channel_mult": list(config.channel_multipliers),
        "transformer_depth": list(config.input_depths),
        "transformer_depth_output": list(reversed(config.output_depths)),
        "transformer_depth_middle": -2 if middle is None else (middle or -1),
        "use_linear_in_transformer": config.linear_projections,
        "context_dim": config.context_width,
        "use_temporal_attention": False,
        "use_temporal_resblock": False,
        "adm_in_channels": config.class_width,
    }
    if config.head_width is not None:
        made["num_head_channels"] = config.head_width
    else:
        made["num_heads"] = config.heads
    if config.class_width is not None:
        made["num_classes"] = "sequential"
    return made


def engine_config(given: dict[str, Any]) -> UNetConfig:
    """Our configuration for a dictionary of ComfyUI's; what it does not say is Stable Diffusion 1's."""
    usual = UNetConfig()
    blocks = given.get("num_res_blocks", list(usual.res_blocks))
    multipliers = tuple(given.get("channel_mult", usual.channel_multipliers))
    counts = (blocks,) * len(multipliers) if isinstance(blocks, int) else tuple(blocks)
    middle = given.get("transformer_depth_middle", 1)
    inputs = _per_block(given.get("transformer_depth", usual.input_depths), counts)
    outputs = given.get("transformer_depth_output")
    if outputs is None:
        outputs = _outputs_like(inputs, counts)
    head_width = given.get("num_head_channels", -1)
    return UNetConfig(
        in_channels=given.get("in_channels", usual.in_channels),
        out_channels=given.get("out_channels", usual.out_channels),
        model_channels=given.get("model_channels", usual.model_channels),
        channel_multipliers=multipliers,
        res_blocks=counts,
        input_depths=inputs,
        middle_depth=None if middle == -2 else max(middle, 0),
        output_depths=tuple(reversed(outputs)),
        context_width=given.get("context_dim") or usual.context_width,
        heads=given.get("num_heads", -1) if given.get("num_heads", -1) > 0 else usual.heads,
        head_width=head_width if head_width > 0 else None,
        linear_projections=bool(given.get("use_linear_in_transformer", False)),
        class_width=given.get("adm_in_channels") if given.get("num_classes") is not None else None,
    )


def _per_block(depths: Any, counts: tuple[int, ...]) -> tuple[int, ...]:
    """Depths by residual block; older configurations have them by level."""
    if len(depths) == sum(counts):
        return tuple(depths)
    return tuple(depth for depth, count in zip(depths, counts, strict=True) for _ in range(count))


def _outputs_like(inputs: tuple[int, ...], counts: tuple[int, ...]) -> list[int]:
    outputs: list[int] = []
    place = 0
    for count in counts:
        level = inputs[place : place + count]
        outputs += [*level, level[-1]]
        place += count
    return outputs
