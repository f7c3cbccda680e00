"""The UNet of Stable Diffusion 1, 2 and XL: `model.diffusion_model.` of their checkpoints."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.errors import SamplingError
from engine.models.control import ControlResiduals
from engine.models.layers import Downsample, ResBlock, Upsample, conv3x3, group_norm, timestep_embedding
from engine.models.patches import Patches
from engine.models.transformer import CrossAttention, SpatialTransformer
from engine.models.unet_config import UNetConfig

log = logging.getLogger(__name__)

Check = Callable[[], None]


class UNet(nn.Module):
    """Noise in a picture, seen at several sizes and guided by text.

    Source: Rombach et al. 2022, arXiv 2112.10752; Podell et al. 2023, arXiv 2307.01952 (SDXL).
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.time_embed: nn.Module = embedding_mlp(config.model_channels, config.embedding_width)
        self.label_emb: nn.Module | None = label_mlp(config)
        self.input_blocks, skip_widths = build_input_blocks(config)
        self.middle_block = build_middle_block(config)
        self.output_blocks = build_output_blocks(config, skip_widths)
        self.out = nn.Sequential(
            group_norm(config.model_channels), nn.SiLU(), conv3x3(config.model_channels, config.out_channels)
        )
        for module in self.modules():
            if isinstance(module, CrossAttention):
                module.float32 = config.float32_attention

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        y: Tensor | None = None,
        control: ControlResiduals | None = None,
        patches: Mapping[str, Any] | None = None,
        cancelled: Check | None = None,
    ) -> Tensor:
        """What the net thinks of a noisy latent: its noise, its velocity or its clean self, as it was trained.

        `patches` are author hooks (see patches.py); `cancelled` is called between blocks and raises to stop.

        Shapes: x [B, C, h, w] latent, scaled as the net was trained; timesteps [B], may be fractional;
        context [B, T, D]; y [B, class_width] for nets with class_width.
        Returns: [B, out_channels, h, w].
        """
        hooks = Patches(patches, tuple(x.shape)) if patches else None
        check = cancelled or _go_on
        control = control or ControlResiduals()
        embedding = embed_time(self, self.config, timesteps, y, x.dtype, hooks)  # [B, E]
        h, skips = self._encode(x, embedding, context, control, hooks, check)  # [B, C·m, h / 2^l, w / 2^l]
        if self.middle_block is not None:
            check()
            _enter(hooks, "middle", 0)
            h = self.middle_block(h, embedding, context, hooks)  # [B, C·m, h / 2^l, w / 2^l]
        h = _plus(h, (control.middle,), 0)
        h = self._decode(h, skips, embedding, context, control, hooks, check)  # [B, C, h, w]
        return self.out(h)  # [B, out, h, w]

    def _encode(
        self,
        h: Tensor,
        embedding: Tensor,
        context: Tensor,
        control: ControlResiduals,
        hooks: Patches | None,
        check: Check,
    ) -> tuple[Tensor, list[Tensor]]:
        skips = []
        for index, block in enumerate(self.input_blocks):
            check()
            _enter(hooks, "input", index)
            h = _plus(block(h, embedding, context, hooks), control.encoder, index)
            h = h if hooks is None else hooks.hidden("input_block_patch", h)
            skips.append(h)
            h = h if hooks is None else hooks.hidden("input_block_patch_after_skip", h)
        return h, skips

    def _decode(
        self,
        h: Tensor,
        skips: list[Tensor],
        embedding: Tensor,
        context: Tensor,
        control: ControlResiduals,
        hooks: Patches | None,
        check: Check,
    ) -> Tensor:
        for index, block in enumerate(self.output_blocks):
            check()
            _enter(hooks, "output", index)
            skip = skips.pop()
            skip = _plus(skip, control.input, len(skips))
            if hooks is not None:
                h, skip = hooks.joined(h, skip)
            # A level of odd size was rounded up on the way down; the next skip knows the size to return to.
            size = skips[-1].shape[-2:] if skips else None
            h = block(torch.cat([h, skip], dim=1), embedding, context, hooks, size)
        return h


class Block(nn.Sequential):
    """The layers at one step of the U, each given what it needs."""

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        embedding: Tensor,
        context: Tensor,
        patches: Patches | None = None,
        size: tuple[int, int] | None = None,
    ) -> Tensor:
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, embedding)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context, patches)
            elif isinstance(layer, Upsample):
                x = layer(x, size)
            else:
                x = layer(x)
        return x


def embedding_mlp(in_width: int, width: int) -> nn.Sequential:
    """Two linear layers that lift waves or labels to the width of the time embedding."""
    return nn.Sequential(nn.Linear(in_width, width), nn.SiLU(), nn.Linear(width, width))


class ClassTable(nn.Module):
    """A row for each class. y says how much of each is wanted, so that none is rounded away in half precision."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(classes, width))

    def forward(self, y: Tensor) -> Tensor:
        return y @ self.weight.to(y)


def label_mlp(config: UNetConfig) -> nn.Module | None:
    """What lifts the vector y, for nets that have one."""
    if config.class_width is None:
        return None
    if config.has_class_table:
        return ClassTable(config.class_width, config.embedding_width)
    return nn.Sequential(embedding_mlp(config.class_width, config.embedding_width))


class Timed(Protocol):
    """A net that knows the time: a UNet or a ControlNet."""

    time_embed: nn.Module
    label_emb: nn.Module | None


def embed_time(
    net: Timed,
    config: UNetConfig,
    timesteps: Tensor,
    y: Tensor | None,
    dtype: torch.dtype,
    hooks: Patches | None = None,
) -> Tensor:
    """Time, and what else holds for the whole picture, as one vector.

    Shapes: timesteps [B]; y [B, class_width].
    Returns: [B, embedding_width].
    Raises: SamplingError when the net needs a y and none came, or one of another width.
    """
    embedding: Tensor = net.time_embed(timestep_embedding(timesteps, config.model_channels).to(dtype))
    if hooks is not None:
        embedding = hooks.embedding(embedding, config.model_channels)
    if net.label_emb is None:
        return embedding
    if y is None or y.shape[-1] != config.class_width:
        came = "none" if y is None else f"one of width {y.shape[-1]}"
        raise SamplingError(
            f"this model expects a vector of width {config.class_width} beside the text (pooled text, sizes), but "
            f"{came} came; encode the prompt with this model's own text encoder"
        )
    return embedding + net.label_emb(y.to(dtype))


def build_input_blocks(config: UNetConfig) -> tuple[nn.ModuleList, list[int]]:
    """The way down, shared by UNets and ControlNets.

    Returns: the blocks, and how many channels each of them leaves on its skip connection.
    """
    blocks = nn.ModuleList([Block(conv3x3(config.in_channels, config.model_channels))])
    width = config.model_channels
    widths = [width]
    depths = iter(config.input_depths)
    for level, count in enumerate(config.res_blocks):
        for _ in range(count):
            before, width = width, config.width(level)
            blocks.append(Block(*_layers(config, before, level, next(depths))))
            widths.append(width)
        if level < len(config.res_blocks) - 1:
            blocks.append(Block(Downsample(width)))
            widths.append(width)
    return blocks, widths


def build_middle_block(config: UNetConfig) -> Block | None:
    """The bottom of the U: two residual blocks around a transformer, or what small variants left of it."""
    width = config.width(-1)
    if config.middle_depth is None:
        return None
    layers = _layers(config, width, None, config.middle_depth)
    if config.middle_depth > 0:
        layers.append(ResBlock(width, width, config.embedding_width))
    return Block(*layers)


def build_output_blocks(config: UNetConfig, skip_widths: list[int]) -> nn.ModuleList:
    """The way up: one block for every skip connection, the last of a level doubling the size."""
    blocks = nn.ModuleList()
    skips = list(skip_widths)
    width = config.width(-1)
    depths = iter(config.output_depths)
    for level, count in reversed(list(enumerate(config.res_blocks))):
        for i in range(count + 1):
            before, width = width, config.width(level)
            layers = _layers(config, before + skips.pop(), level, next(depths))
            if level > 0 and i == count:
                layers.append(Upsample(width))
            blocks.append(Block(*layers))
    return blocks


def _layers(config: UNetConfig, before: int, level: int | None, depth: int) -> list[nn.Module]:
    """A residual block from so many channels to those of a level (None: the middle), and its transformer."""
    width = config.width(-1 if level is None else level)
    only_text = level is not None and config.only_text_at(level)
    layers: list[nn.Module] = [ResBlock(before, width, config.embedding_width)]
    if depth > 0:
        heads, linear = config.heads_at(width), config.linear_projections
        layers.append(SpatialTransformer(width, heads, depth, config.context_width, linear, only_text))
    return layers


def _enter(hooks: Patches | None, name: str, index: int) -> None:
    if hooks is not None:
        hooks.enter_block(name, index)


def _go_on() -> None:
    """Nobody can cancel this evaluation."""


def _plus(h: Tensor, places: tuple[Tensor | None, ...], index: int) -> Tensor:
    extra = places[index] if index < len(places) else None
    if extra is None:
        return h
    if extra.shape[-2:] != h.shape[-2:]:
        # ComfyUI: workflows with both are known, and draw with what fits.
        log.warning(
            "a ControlNet's answer for %s cells is left out where the UNet has %s: PatchModelAddDownscale or a plugin "
            "makes it see the picture in another size there",
            "×".join(map(str, extra.shape[-2:])),
            "×".join(map(str, h.shape[-2:])),
        )
        return h
    return h + extra
