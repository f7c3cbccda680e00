"""Other layouts' names for the weights of our networks, whose own names are those of the original checkpoints.

Diffusers' names are needed twice: to load its files, and because LoRA files address weights by them. Maps go from
the beginning of a foreign name to the beginning of ours (a module, not each of its tensors).
Source: node_behaviour.md A.6 and C.3.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.checkpoints.tensors import Shapes
from engine.models.shapes import numbered
from engine.models.unet_config import UNetConfig

Names = Mapping[str, str]

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


def unet_names(config: UNetConfig) -> dict[str, str]:
    """Diffusers' module names -> ours, for a UNet of this shape."""
    return {
        **_encoder_names(config),
        **_decoder_names(config),
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }


def controlnet_names(config: UNetConfig, hint_blocks: int) -> dict[str, str]:
    """Diffusers' module names -> ours, for a ControlNet with that many convolutions inside its hint encoder."""
    convs = sum(n + 1 for n in config.res_blocks)
    hint = {f"controlnet_cond_embedding.blocks.{k}": f"input_hint_block.{2 * (k + 1)}" for k in range(hint_blocks)}
    return {
        **_encoder_names(config),
        **hint,
        "controlnet_cond_embedding.conv_in": "input_hint_block.0",
        "controlnet_cond_embedding.conv_out": f"input_hint_block.{2 * (hint_blocks + 1)}",
        **{f"controlnet_down_blocks.{k}": f"zero_convs.{k}.0" for k in range(convs)},
        "controlnet_mid_block": "middle_block_out.0",
    }


def vae_names(levels: int, res_blocks: int) -> dict[str, str]:
    """Diffusers' module names -> ours, for an autoencoder."""
    names = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for half in ("encoder", "decoder"):
        names |= {f"{half}.{name}": f"{half}.{name}" for name in ("conv_in", "conv_out")}
        names[f"{half}.conv_norm_out"] = f"{half}.norm_out"
        names |= {f"{half}.mid_block.resnets.{i}": f"{half}.mid.block_{i + 1}" for i in (0, 1)}
        names |= {
            f"{half}.mid_block.attentions.0.{theirs}": f"{half}.mid.attn_1.{ours}"
            for theirs, ours in _VAE_ATTENTION.items()
        }
    for level in range(levels):
        here = f"encoder.down.{level}"
        names |= {f"encoder.down_blocks.{level}.resnets.{i}": f"{here}.block.{i}" for i in range(res_blocks)}
        names[f"encoder.down_blocks.{level}.downsamplers.0.conv"] = f"{here}.downsample.conv"
        # Diffusers counts the decoder's levels in the order they run, the original from the finest.
        here = f"decoder.up.{levels - 1 - level}"
        names |= {f"decoder.up_blocks.{level}.resnets.{i}": f"{here}.block.{i}" for i in range(res_blocks + 1)}
        names[f"decoder.up_blocks.{level}.upsamplers.0.conv"] = f"{here}.upsample.conv"
    return names


_VAE_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "query": "q",
    "to_k": "k",
    "key": "k",
    "to_v": "v",
    "value": "v",
    "to_out.0": "proj_out",
    "proj_attn": "proj_out",
}


def translated(tensors: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """The tensors under our names. A linear layer of the VAE's attention becomes the 1×1 convolution it stands for."""
    result = {}
    for name, tensor in tensors.items():
        ours = our_name(name, names)
        if ".mid.attn_1." in ours and tensor.ndim == 2:
            tensor = tensor[:, :, None, None]
        result[ours] = tensor
    return result


def our_name(name: str, names: Names) -> str:
    """Our name for a tensor of another layout; a name nobody knows stays as it is."""
    module = name
    while module:
        if module in names:
            return _inner(names[module] + name[len(module) :])
        module = module.rpartition(".")[0]
    return name


def _inner(name: str) -> str:
    """Names inside a residual block of the VAE differ in one place."""
    return name.replace(".conv_shortcut.", ".nin_shortcut.")


def diffusers_unet_config(shapes: Shapes) -> UNetConfig:
    """What of the configuration decides names, read off a diffusers UNet or ControlNet."""
    levels = numbered(shapes, "down_blocks.{}.resnets.0.norm1.weight")
    res_blocks = tuple(numbered(shapes, f"down_blocks.{i}.resnets.{{}}.norm1.weight") for i in range(levels))
    return UNetConfig(
        res_blocks=res_blocks,
        channel_multipliers=tuple(shapes[f"down_blocks.{i}.resnets.0.norm1.weight"][0] for i in range(levels)),
        input_depths=tuple(_depth(shapes, f"down_blocks.{i}", j) for i, n in enumerate(res_blocks) for j in range(n)),
        middle_depth=_depth(shapes, "mid_block", 0),
        output_depths=tuple(
            _depth(shapes, f"up_blocks.{i}", j) for i, n in enumerate(reversed(res_blocks)) for j in range(n + 1)
        ),
    )


def diffusers_vae_names(shapes: Shapes) -> dict[str, str]:
    """The names of a diffusers autoencoder's modules -> ours, read off its tensors."""
    levels = numbered(shapes, "decoder.up_blocks.{}.resnets.0.norm1.weight")
    return vae_names(levels, numbered(shapes, "encoder.down_blocks.0.resnets.{}.norm1.weight"))


def diffusers_controlnet_names(shapes: Shapes) -> dict[str, str]:
    """The names of a diffusers ControlNet's modules -> ours, read off its tensors."""
    blocks = numbered(shapes, "controlnet_cond_embedding.blocks.{}.weight")
    return controlnet_names(diffusers_unet_config(shapes), blocks)


def clip_name(name: str) -> str:
    """transformers 5's name for a tensor of a CLIP text encoder, which has no `text_model.` in front."""
    return name.removeprefix("transformer.").removeprefix("text_model.")


def expanded(rows: Tensor, ids: Tensor, vocabulary: int) -> Tensor:
    """A full table of token vectors from the rows that were kept; every other token gets their mean.

    Shapes: rows [n, D]; ids [n], the tokens of those rows.
    Returns: [vocabulary, D], in the rows' format.
    """
    table = rows.float().mean(dim=0).to(rows.dtype).repeat(vocabulary, 1)
    table[ids.to(torch.int64)] = rows
    return table


def _encoder_names(config: UNetConfig) -> dict[str, str]:
    names = {
        "conv_in": "input_blocks.0.0",
        **{f"time_embedding.linear_{i}": f"time_embed.{2 * (i - 1)}" for i in (1, 2)},
        **{f"{kind}_embedding.linear_{i}": f"label_emb.0.{2 * (i - 1)}" for kind in ("add", "class") for i in (1, 2)},
        "class_embedding": "label_emb",
        "mid_block.attentions.0": "middle_block.1",
    }
    for i, ours in ((0, 0), (1, 2)):
        names |= _resnet(f"mid_block.resnets.{i}", f"middle_block.{ours}")
    block = 1
    for level, count in enumerate(config.res_blocks):
        for i in range(count):
            names |= _resnet(f"down_blocks.{level}.resnets.{i}", f"input_blocks.{block}.0")
            names[f"down_blocks.{level}.attentions.{i}"] = f"input_blocks.{block}.1"
            block += 1
        if level < len(config.res_blocks) - 1:
            names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{block}.0.op"
            block += 1
    return names


def _decoder_names(config: UNetConfig) -> dict[str, str]:
    names: dict[str, str] = {}
    block = 0
    for level, count in enumerate(reversed(config.res_blocks)):
        for i in range(count + 1):
            names |= _resnet(f"up_blocks.{level}.resnets.{i}", f"output_blocks.{block}.0")
            names[f"up_blocks.{level}.attentions.{i}"] = f"output_blocks.{block}.1"
            if i == count and level < len(config.res_blocks) - 1:
                place = 2 if config.output_depths[block] else 1
                names[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{block}.{place}.conv"
            block += 1
    return names


def _resnet(theirs: str, ours: str) -> dict[str, str]:
    return {f"{theirs}.{a}": f"{ours}.{b}" for a, b in _RESNET.items()}


def _depth(shapes: Shapes, block: str, index: int) -> int:
    return numbered(shapes, f"{block}.attentions.{index}.transformer_blocks.{{}}.norm1.weight")
