"""Diffusers' names of a UNet's tensors beside the original ones, as ComfyUI's `comfy.utils` shows them.

Source: node_behaviour.md A.6; checked against diffusers itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.checkpoints.keys import unet_names
from engine.models.unet_config import UNetConfig


def _tensors(*modules: str) -> set[str]:
    return {f"{module}.{kind}" for module in modules for kind in ("weight", "bias")}


UNET_MAP_ATTENTIONS = _tensors("proj_in", "proj_out", "norm")
"""The tensors around the transformer blocks of an attention; their names are the same in both layouts."""

TRANSFORMER_BLOCKS = _tensors(
    "norm1", "norm2", "norm3", "attn1.to_out.0", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2"
) | {f"attn{i}.to_{each}.weight" for i in (1, 2) for each in "qkv"}
"""The tensors of a transformer block; their names are the same in both layouts."""

_RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
UNET_MAP_RESNET = {
    f"{ours}.{kind}": f"{theirs}.{kind}" for ours, theirs in _RESNET.items() for kind in ("weight", "bias")
}
"""A residual block's tensors: original name -> diffusers'."""

_BASIC = {
    "label_emb.0.0": ("class_embedding.linear_1", "add_embedding.linear_1"),
    "label_emb.0.2": ("class_embedding.linear_2", "add_embedding.linear_2"),
    "input_blocks.0.0": ("conv_in",),
    "out.0": ("conv_norm_out",),
    "out.2": ("conv_out",),
    "time_embed.0": ("time_embedding.linear_1",),
    "time_embed.2": ("time_embedding.linear_2",),
}
UNET_MAP_BASIC = {
    (f"{ours}.{kind}", f"{theirs}.{kind}")
    for ours, names in _BASIC.items()
    for theirs in names
    for kind in ("weight", "bias")
}
"""Pairs of original and diffusers' name, for what is outside of the blocks. Plugins add to it."""


def unet_to_diffusers(unet_config: Mapping[str, Any], basic: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Diffusers' name -> original name for every tensor of a UNet with this configuration; empty for other networks.

    unet_config: ComfyUI's. basic: the pairs outside of the blocks.
    """
    if "num_res_blocks" not in unet_config:
        return {}
    config = _config(unet_config)
    depths = _depths(config)
    found: dict[str, str] = {theirs: ours for ours, theirs in basic}
    for theirs, ours in unet_names(config).items():
        if ours not in depths:
            found |= {f"{theirs}.{kind}": f"{ours}.{kind}" for kind in ("weight", "bias")}
        elif depths[ours]:
            found |= {f"{theirs}.{each}": f"{ours}.{each}" for each in UNET_MAP_ATTENTIONS}
            blocks = (f"transformer_blocks.{i}.{each}" for i in range(depths[ours]) for each in TRANSFORMER_BLOCKS)
            found |= {f"{theirs}.{each}": f"{ours}.{each}" for each in blocks}
    return found


def _config(unet_config: Mapping[str, Any]) -> UNetConfig:
    multipliers = tuple(unet_config.get("channel_mult", (1, 2, 4, 4)))
    counts = unet_config["num_res_blocks"]
    res_blocks = (counts,) * len(multipliers) if isinstance(counts, int) else tuple(counts)
    inputs = tuple(unet_config.get("transformer_depth", ()))
    if len(inputs) != sum(res_blocks):  # one for each level
        inputs = tuple(depth for depth, count in zip(inputs, res_blocks, strict=True) for _ in range(count))
    # ComfyUI lists the decoder's as the encoder's, from the finest level on; we as they run.
    outputs = tuple(reversed(unet_config.get("transformer_depth_output") or _mirrored(inputs, res_blocks)))
    middle = unet_config.get("transformer_depth_middle", inputs[-1] if inputs else 0)
    return UNetConfig(
        channel_multipliers=multipliers,
        res_blocks=res_blocks,
        input_depths=inputs,
        middle_depth=middle if middle is not None and middle >= 0 else None,
        output_depths=outputs,
    )


def _mirrored(inputs: tuple[int, ...], res_blocks: tuple[int, ...]) -> list[int]:
    """The decoder's depths when nothing is said: one block more than the encoder on each level."""
    found: list[int] = []
    start = 0
    for count in res_blocks:
        level = inputs[start : start + count]
        found += [*level, *level[-1:]]
        start += count
    return found


def _depths(config: UNetConfig) -> dict[str, int]:
    """How many transformer blocks are in each place that could have some."""
    found, block, index = {"middle_block.1": config.middle_depth or 0}, 1, 0
    for count in config.res_blocks:
        for _ in range(count):
            found[f"input_blocks.{block}.1"] = config.input_depths[index]
            block, index = block + 1, index + 1
        block += 1  # the one that makes the picture smaller
    return found | {f"output_blocks.{i}.1": depth for i, depth in enumerate(config.output_depths)}
