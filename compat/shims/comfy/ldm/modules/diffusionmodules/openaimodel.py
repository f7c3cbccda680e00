"""ComfyUI's UNet: the engine's own, with ComfyUI's way of calling it.

`apply_control` and `forward_timestep_embed` are looked up whenever they are called, as plugins put others in their
place.
"""

import logging
from typing import Any

import torch
from torch import Tensor, nn

from comfy import ops, patcher_extension
from comfy.ldm.modules.attention import Live, SpatialTransformer, SpatialVideoTransformer
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from compat.missing import absent_class, missing
from engine.models import layers, unet
from engine.models.control import ControlResiduals
from engine.models.patches import Patches
from engine.models.unet_config import UNetConfig

__all__ = ["SpatialTransformer", "SpatialVideoTransformer", "timestep_embedding"]

log = logging.getLogger(__name__)


class TimestepBlock(nn.Module):
    """A layer that is given the time."""


class TimestepEmbedSequential(unet.Block, TimestepBlock):
    """The layers at one step of the U, each given what it needs."""

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        emb: Tensor,
        context: Tensor | None = None,
        transformer_options: Any = None,
        output_shape: Any = None,
        **more: Any,
    ) -> Tensor:
        if transformer_options is None or isinstance(transformer_options, Patches):  # the engine's own call
            assert context is not None
            return super().forward(x, emb, context, transformer_options, output_shape)
        return forward_timestep_embed(self, x, emb, context, transformer_options, output_shape, **more)


class Upsample(layers.Upsample):
    """Twice the size, or that of `output_shape` (whose last two axes count), then perhaps a convolution."""

    def __init__(
        self,
        channels: int,
        use_conv: bool,
        dims: int = 2,
        out_channels: int | None = None,
        padding: int = 1,
        dtype: Any = None,
        device: Any = None,
        operations: Any = ops.disable_weight_init,
    ) -> None:
        nn.Module.__init__(self)
        self.channels, self.out_channels = channels, out_channels or channels
        self.use_conv, self.dims = use_conv, dims
        if use_conv:
            self.conv = operations.conv_nd(
                dims, self.channels, self.out_channels, 3, padding=padding, dtype=dtype, device=device
            )

    def wear(self) -> None:
        """Sets what ComfyUI's constructor would have set on one that the engine made."""
        self.channels, self.out_channels = self.conv.in_channels, self.conv.out_channels
        self.use_conv, self.dims = True, 2

    def forward(self, x: Tensor, output_shape: Any = None) -> Tensor:
        if self.use_conv and self.dims == 2:
            return super().forward(x, None if output_shape is None else tuple(output_shape[-2:]))
        size = [n * 2 for n in x.shape[-2:]] if output_shape is None else list(output_shape[-2:])
        if self.dims == 3:
            size = [x.shape[2], *size]
        x = nn.functional.interpolate(x, size=size, mode="nearest")
        return self.conv(x) if self.use_conv else x


class Downsample(layers.Downsample):
    """Half the size, by a strided convolution or by averaging."""

    def __init__(
        self,
        channels: int,
        use_conv: bool,
        dims: int = 2,
        out_channels: int | None = None,
        padding: int = 1,
        dtype: Any = None,
        device: Any = None,
        operations: Any = ops.disable_weight_init,
    ) -> None:
        nn.Module.__init__(self)
        self.channels, self.out_channels = channels, out_channels or channels
        self.use_conv, self.dims = use_conv, dims
        stride: Any = 2 if dims != 3 else (1, 2, 2)
        if use_conv:
            self.op = operations.conv_nd(
                dims, self.channels, self.out_channels, 3, stride=stride, padding=padding, dtype=dtype, device=device
            )
        else:
            self.op = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}[dims](stride, stride)

    def wear(self) -> None:
        """Sets what ComfyUI's constructor would have set on one that the engine made."""
        self.channels, self.out_channels = self.op.in_channels, self.op.out_channels
        self.use_conv, self.dims = True, 2


class ResBlock(layers.ResBlock, TimestepBlock):
    """Two convolutions around the time embedding, added to the input."""

    def __init__(
        self,
        channels: int,
        emb_channels: int,
        dropout: float,
        out_channels: int | None = None,
        use_conv: bool = False,
        use_scale_shift_norm: bool = False,
        dims: int = 2,
        use_checkpoint: bool = False,
        up: bool = False,
        down: bool = False,
        dtype: Any = None,
        device: Any = None,
        operations: Any = ops.disable_weight_init,
    ) -> None:
        nn.Module.__init__(self)
        if up or down or use_scale_shift_norm:
            raise NotImplementedError(
                "ResBlock: resizing and scale-shift norms are not offered here; no published UNet"
                " of Stable Diffusion has them"
            )
        built: dict[str, Any] = {"dtype": dtype, "device": device}
        out = out_channels or channels

        def conv(before: int, after: int, size: int) -> nn.Module:
            made: nn.Module = operations.conv_nd(dims, before, after, size, padding=size // 2, **built)
            return made

        def norm(width: int) -> nn.Module:
            made: nn.Module = operations.GroupNorm(min(32, width), width, **built)
            return made

        self.in_layers = nn.Sequential(norm(channels), nn.SiLU(), conv(channels, out, 3))
        self.emb_layers = nn.Sequential(nn.SiLU(), operations.Linear(emb_channels, out, **built))
        self.out_layers = nn.Sequential(norm(out), nn.SiLU(), nn.Dropout(dropout), conv(out, out, 3))
        same = out == channels
        self.skip_connection: Any = nn.Identity() if same else conv(channels, out, 3 if use_conv else 1)
        self._wear(channels, out, emb_channels)

    def wear(self) -> None:
        """Sets what ComfyUI's constructor would have set on one that the engine made."""
        conv: Any = self.in_layers[2]
        linear: Any = self.emb_layers[1]
        self._wear(conv.in_channels, conv.out_channels, linear.in_features)

    def _wear(self, channels: int, out_channels: int, emb_channels: int) -> None:
        self.channels, self.out_channels, self.emb_channels = channels, out_channels, emb_channels
        self.updown, self.use_scale_shift_norm = False, False

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.in_layers(x)
        added = self.emb_layers(emb)
        h = h + added.reshape(*added.shape, *[1] * (h.ndim - added.ndim)).to(h.dtype)
        return self.skip_connection(x) + self.out_layers(h)


VideoResBlock = absent_class(__name__, "VideoResBlock", ResBlock)


class Timestep(nn.Module):
    """The waves that tell the time, as a layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, t: Tensor) -> Tensor:
        return timestep_embedding(t, self.dim)


def apply_control(h: Tensor, control: dict[str, list[Tensor | None]] | None, name: str) -> Tensor:
    """The activations with the last of a control's tensors for this kind of block taken off its list and added."""
    waiting = None if control is None else control.get(name)
    if not waiting:
        return h
    extra = waiting.pop()
    if extra is None:
        return h
    try:
        return h + extra
    except RuntimeError:
        log.warning("a control of the shape %s does not fit %s and is left out", tuple(extra.shape), tuple(h.shape))
        return h


def forward_timestep_embed(
    ts: Any,
    x: Tensor,
    emb: Tensor,
    context: Any = None,
    transformer_options: Any = None,
    output_shape: Any = None,
    time_context: Any = None,
    num_video_frames: Any = None,
    image_only_indicator: Any = None,
) -> Tensor:
    """Runs the layers of one block, each with what it takes; layers of a plugin's by the plugin's own function."""
    options: dict[str, Any] = {} if transformer_options is None else transformer_options
    for layer in ts:
        if isinstance(layer, TimestepBlock):
            x = layer(x, emb)
        elif isinstance(layer, SpatialTransformer):
            x = layer(x, context, options)
            if "transformer_index" in options:
                options["transformer_index"] += 1
        elif isinstance(layer, Upsample):
            x = layer(x, output_shape=output_shape)
        else:
            x = _other(
                layer, x, emb, context, options, output_shape, time_context, num_video_frames, image_only_indicator
            )
    return x


def _other(layer: Any, x: Tensor, emb: Tensor, context: Any, options: dict[str, Any], *more: Any) -> Tensor:
    for kind, handler in options.get("patches", {}).get("forward_timestep_embed_patch", ()):
        if isinstance(layer, kind):
            handled: Tensor = handler(layer, x, emb, context, options, *more)
            return handled
    done: Tensor = layer(x)
    return done


class UNetModel(unet.UNet):
    """The UNet of Stable Diffusion 1, 2 and XL, called as ComfyUI calls it (and as the engine does)."""

    model_channels: int
    dtype: torch.dtype

    def __init__(
        self,
        *,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = ops.disable_weight_init,
        **unet_config: Any,
    ) -> None:
        from compat import dress

        config = dress.engine_config(unet_config)
        with torch.device("meta"):
            super().__init__(config)
        dress.with_operations(self, operations, dtype, device)
        dress.dress(self)
        self.dtype = dtype or torch.float32

    def wear(self) -> None:
        """Sets what ComfyUI's constructor would have set on one that the engine made."""
        config: UNetConfig = self.config
        self.model_channels, self.in_channels, self.out_channels = (
            config.model_channels,
            config.in_channels,
            config.out_channels,
        )
        self.num_res_blocks, self.channel_mult = list(config.res_blocks), list(config.channel_multipliers)
        self.context_dim, self.adm_in_channels = config.context_width, config.class_width
        self.num_heads = -1 if config.head_width else config.heads
        self.num_head_channels = config.head_width or -1
        self.num_classes = None if config.class_width is None else "sequential"
        self.default_num_video_frames = None

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        timesteps: Tensor | None = None,
        context: Tensor | None = None,
        y: Tensor | None = None,
        control: Any = None,
        transformer_options: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        if "cancelled" in kwargs or "patches" in kwargs or isinstance(control, ControlResiduals):
            return super().forward(x, timesteps, context, y, control, **kwargs)  # type: ignore[arg-type]
        options = {} if transformer_options is None else transformer_options
        wrappers = patcher_extension.get_all_wrappers(patcher_extension.WrappersMP.DIFFUSION_MODEL, options)
        executor = patcher_extension.WrapperExecutor.new_class_executor(self._forward, self, wrappers)
        return executor.execute(x, timesteps, context, y, control, options, **kwargs)

    def _forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        y: Tensor | None = None,
        control: Any = None,
        transformer_options: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        options: dict[str, Any] = {} if transformer_options is None else transformer_options
        options["original_shape"] = list(x.shape)
        options["transformer_index"] = 0
        frames = {name: kwargs.get(name) for name in ("num_video_frames", "image_only_indicator", "time_context")}
        hooks = Live(options)
        emb = unet.embed_time(self, self.config, timesteps, y, x.dtype, hooks)
        h, skips = x, []
        for index, block in enumerate(self.input_blocks):
            hooks.enter_block("input", index)
            h = apply_control(forward_timestep_embed(block, h, emb, context, options, **frames), control, "input")
            h = hooks.hidden("input_block_patch", h)
            skips.append(h)
            h = hooks.hidden("input_block_patch_after_skip", h)
        hooks.enter_block("middle", 0)
        if self.middle_block is not None:
            h = forward_timestep_embed(self.middle_block, h, emb, context, options, **frames)
        h = apply_control(h, control, "middle")
        for index, block in enumerate(self.output_blocks):
            hooks.enter_block("output", index)
            skip = apply_control(skips.pop(), control, "output")
            h, skip = hooks.joined(h, skip)
            shape = skips[-1].shape if skips else None
            h = forward_timestep_embed(block, torch.cat([h, skip], dim=1), emb, context, options, shape, **frames)
        return self.out(h.to(x.dtype))


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
