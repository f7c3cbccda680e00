"""The ControlNet network under ComfyUI's name: ours, built from latent diffusion's arguments, answering with lists."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engine.models import controlnet
from engine.models.unet_config import UNetConfig


class ControlNet(controlnet.ControlNet):
    """The copy of a UNet's encoder that reads a hint. Its lists are popped from the end by UNets."""

    def __init__(
        self,
        image_size: int = 32,
        in_channels: int = 4,
        model_channels: int = 320,
        hint_channels: int = 3,
        num_res_blocks: int | Sequence[int] = 2,
        dropout: float = 0,
        channel_mult: Sequence[int] = (1, 2, 4, 4),
        conv_resample: bool = True,
        dims: int = 2,
        num_classes: Any = None,
        use_checkpoint: bool = False,
        dtype: torch.dtype = torch.float32,
        num_heads: int = -1,
        num_head_channels: int = -1,
        num_heads_upsample: int = -1,
        use_scale_shift_norm: bool = False,
        resblock_updown: bool = False,
        use_new_attention_order: bool = False,
        use_spatial_transformer: bool = True,
        transformer_depth: int | Sequence[int] = 1,
        context_dim: int | None = 768,
        n_embed: int | None = None,
        legacy: bool = False,
        disable_self_attentions: Any = None,
        num_attention_blocks: Any = None,
        disable_middle_self_attn: bool = False,
        use_linear_in_transformer: bool = False,
        adm_in_channels: int | None = None,
        transformer_depth_middle: int | None = None,
        transformer_depth_output: Any = None,
        attn_precision: Any = None,
        union_controlnet_num_control_type: int | None = None,
        device: Any = None,
        operations: Any = None,
        **kwargs: Any,
    ) -> None:
        levels = len(channel_mult)
        blocks = (num_res_blocks,) * levels if isinstance(num_res_blocks, int) else tuple(num_res_blocks)
        depths = _depths(transformer_depth, blocks)
        middle = depths[-1] if transformer_depth_middle is None else transformer_depth_middle
        config = UNetConfig(
            in_channels=in_channels,
            model_channels=model_channels,
            channel_multipliers=tuple(channel_mult),
            res_blocks=blocks,
            input_depths=depths,
            middle_depth=None if middle == -2 else max(middle, 0),
            context_width=context_dim or 768,
            heads=num_heads if num_heads > 0 else 8,
            head_width=num_head_channels if num_head_channels > 0 else None,
            linear_projections=use_linear_in_transformer,
            class_width=adm_in_channels,
        )
        with torch.device(device or "cpu"):
            kinds = union_controlnet_num_control_type
            super().__init__(controlnet.ControlNetConfig(unet=config, hint_channels=hint_channels, kinds=kinds))
        self.to(dtype)
        self._describe(dtype, dims, num_classes, union_controlnet_num_control_type)

    @classmethod
    def around(cls, network: controlnet.ControlNet, dtype: torch.dtype) -> "ControlNet":
        """One of our ControlNets as this class. Both are the same network: what changes one changes the other."""
        made = cls.__new__(cls)
        made.__dict__ = network.__dict__
        classes = None if network.config.unet.class_width is None else "sequential"
        made._describe(dtype, 2, classes, network.config.kinds)
        return made

    def _describe(self, dtype: torch.dtype, dims: int, num_classes: Any, control_types: int | None) -> None:
        self.dtype = dtype
        self.dims = dims
        self.num_classes = num_classes
        self.model_channels = self.config.unet.model_channels
        self.in_channels = self.config.unet.in_channels
        self.num_control_type = control_types

    def forward(  # type: ignore[override]
        self, x: Tensor, hint: Tensor, timesteps: Tensor, context: Tensor, y: Tensor | None = None, **kwargs: Any
    ) -> dict[str, list[Tensor]]:
        """What the hint asks for: `output` per input block, and `middle`. `control_type` says what kinds it is.

        Shapes: x [B, C, h, w]; hint [B, 3, 8·h, 8·w]; timesteps [B]; context [B, T, D]; y [B, V].
        """
        found = super().forward(x, hint, timesteps, context, y, tuple(kwargs.get("control_type") or ()))
        return {
            "middle": [each for each in [found.middle] if each is not None],
            "output": [each for each in found.input if each is not None],
        }


def _depths(given: int | Sequence[int], blocks: Sequence[int]) -> tuple[int, ...]:
    """One depth per residual block, from one for all, one per level or one per block."""
    if isinstance(given, int):
        return (given,) * sum(blocks)
    if len(given) == sum(blocks):
        return tuple(given)
    return tuple(depth for depth, count in zip(given, blocks, strict=True) for _ in range(count))
