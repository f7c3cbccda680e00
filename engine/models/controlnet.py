"""The copy of a UNet's encoder that reads a hint picture: ControlNet, in the layout of its first checkpoints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from torch import Tensor, nn

from engine.errors import CheckpointError
from engine.models.control import ControlResiduals
from engine.models.layers import conv3x3
from engine.models.unet import build_input_blocks, build_middle_block, embed_time, embedding_mlp, label_mlp
from engine.models.unet_config import UNetConfig

__all__ = ["ControlNet", "ControlNetConfig", "ControlResiduals"]


@dataclass(frozen=True)
class ControlNetConfig:
    """The encoder it copies, and the hint it reads."""

    unet: UNetConfig = field(default_factory=UNetConfig)
    hint_channels: int = 3
    hint_widths: tuple[int, ...] = (16, 32, 96, 256)

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]], heads: int | None = None) -> "ControlNetConfig":
        """Read the configuration off the tensors of a file, its prefix removed; `heads` as for UNets.

        Raises: CheckpointError when there is no ControlNet among them.
        """
        rows = [shapes[f"input_hint_block.{i}.weight"] for i in _hint_positions(shapes)]
        if not rows:
            raise CheckpointError("no ControlNet inside: expected input_hint_block.0.weight; choose another file")
        return cls(
            unet=UNetConfig.from_shapes(shapes, heads),
            hint_channels=rows[0][1],
            hint_widths=(rows[0][0], *(shape[0] for shape in rows[2:-1:2])),
        )


class ControlNet(nn.Module):
    """Says, for every skip connection of the UNet, what a hint picture asks for.

    Source: Zhang et al. 2023, arXiv 2302.05543.
    """

    def __init__(self, config: ControlNetConfig) -> None:
        super().__init__()
        self.config = config
        unet = config.unet
        self.time_embed: nn.Module = embedding_mlp(unet.model_channels, unet.embedding_width)
        self.label_emb: nn.Module | None = label_mlp(unet)
        self.input_blocks, widths = build_input_blocks(unet)
        self.zero_convs = nn.ModuleList(nn.Sequential(_zeroed(nn.Conv2d(w, w, 1))) for w in widths)
        self.input_hint_block = _hint_block(config)
        self.middle_block = build_middle_block(unet)
        self.middle_block_out = nn.Sequential(_zeroed(nn.Conv2d(widths[-1], widths[-1], 1)))

    def forward(
        self,
        x: Tensor,
        hint: Tensor,
        timesteps: Tensor,
        context: Tensor,
        y: Tensor | None = None,
        cancelled: Callable[[], None] | None = None,
    ) -> ControlResiduals:
        """The control for one evaluation of the UNet.

        Shapes: x [B, C, h, w] latent, scaled as for the UNet; hint [B, 3, 8·h, 8·w], 0 … 1; timesteps [B];
        context [B, T, D]; y [B, class_width] for nets with class_width.
        """
        embedding = embed_time(self, self.config.unet, timesteps, y, x.dtype)  # [B, E]
        guide = self.input_hint_block(hint.to(x.dtype))  # [B, C, h, w]
        h, residuals = x, []
        for index, (block, zero_conv) in enumerate(zip(self.input_blocks, self.zero_convs, strict=True)):
            if cancelled is not None:
                cancelled()
            h = block(h, embedding, context)  # [B, C·m, h / 2^l, w / 2^l]
            h = h + guide if index == 0 else h
            residuals.append(zero_conv(h))
        if self.middle_block is not None:
            h = self.middle_block(h, embedding, context)  # [B, C·m, h / 2^l, w / 2^l]
        return ControlResiduals(input=tuple(residuals), middle=self.middle_block_out(h))

    def copy_encoder(self, unet: nn.Module) -> None:
        """Begin training where the paper does: with the UNet's own encoder."""
        shared = ("time_embed.", "label_emb.", "input_blocks.", "middle_block.")
        weights = {name: tensor for name, tensor in unet.state_dict().items() if name.startswith(shared)}
        self.load_state_dict({**self.state_dict(), **weights})


def _hint_block(config: ControlNetConfig) -> nn.Sequential:
    """Eight times smaller in three strides, alternating with convolutions that keep the size."""
    widths = config.hint_widths
    layers: list[nn.Module] = [conv3x3(config.hint_channels, widths[0]), nn.SiLU()]
    for before, width in pairwise(widths):
        layers += [conv3x3(before, before), nn.SiLU(), conv3x3(before, width, stride=2), nn.SiLU()]
    return nn.Sequential(*layers, _zeroed(conv3x3(widths[-1], config.unet.model_channels)))


def _hint_positions(shapes: Mapping[str, tuple[int, ...]]) -> list[int]:
    prefix, suffix = "input_hint_block.", ".weight"
    names = (key for key in shapes if key.startswith(prefix) and key.endswith(suffix))
    return sorted(int(name[len(prefix) : -len(suffix)]) for name in names)


def _zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    # An untrained ControlNet must change nothing.
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
