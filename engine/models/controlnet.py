"""The copy of a UNet's encoder that reads a hint picture: ControlNet, in the layout of its first checkpoints."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError
from engine.models.clip_layer import ClipLayer
from engine.models.control import ControlResiduals
from engine.models.control_union import HEADS, KindEmbedding
from engine.models.layers import conv3x3
from engine.models.shapes import numbered
from engine.models.transformer import CrossAttention
from engine.models.unet import build_input_blocks, build_middle_block, embed_time, embedding_mlp, label_mlp
from engine.models.unet_config import UNetConfig

__all__ = ["ControlNet", "ControlNetConfig", "ControlResiduals"]


@dataclass(frozen=True)
class ControlNetConfig:
    """The encoder it copies, and the hint it reads; `kinds` of hints, and layers between them, for union nets."""

    unet: UNetConfig = field(default_factory=UNetConfig)
    hint_channels: int = 3
    hint_widths: tuple[int, ...] = (16, 32, 96, 256)
    kinds: int | None = None
    kind_layers: int = 1

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
            kinds=shapes["task_embedding"][0] if "task_embedding" in shapes else None,
            kind_layers=numbered(shapes, "transformer_layes.{}.ln_1.weight"),
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
        self.control_add_embedding: nn.Module | None = None
        self.task_embedding: nn.Parameter | None = None
        if config.kinds is not None:
            width = unet.model_channels
            self.control_add_embedding = KindEmbedding(config.kinds, unet.embedding_width)
            self.task_embedding = nn.Parameter(torch.zeros(config.kinds, width))
            # The checkpoints' own spelling.
            self.transformer_layes = nn.Sequential(*(ClipLayer(width, HEADS) for _ in range(config.kind_layers)))
            self.spatial_ch_projs = nn.Linear(width, width)
        for module in self.modules():
            if isinstance(module, CrossAttention):
                module.float32 = unet.float32_attention

    def forward(
        self,
        x: Tensor,
        hint: Tensor,
        timesteps: Tensor,
        context: Tensor,
        y: Tensor | None = None,
        kinds: Sequence[int] = (),
        cancelled: Callable[[], None] | None = None,
    ) -> ControlResiduals:
        """The control for one evaluation of the UNet.

        `kinds` are what the hint is, for union nets; none leaves it to the net.

        Shapes: x [B, C, h, w] latent, scaled as for the UNet; hint [B, hint_channels, 8·h, 8·w], 0 … 1; timesteps [B];
        context [B, T, D]; y [B, class_width] for nets with class_width.
        Raises: SamplingError, for a y of another width or a kind the net does not know.
        """
        embedding = embed_time(self, self.config.unet, timesteps, y, x.dtype)  # [B, E]
        guide = self.input_hint_block(hint.to(x.dtype))  # [B, C, h, w]
        if self.control_add_embedding is not None:
            embedding = embedding + self.control_add_embedding(kinds, x)  # [B, E]
            guide = self._of_kind(guide, kinds)  # [B, C, h, w]
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

    def _of_kind(self, guide: Tensor, kinds: Sequence[int]) -> Tensor:
        """What the hint asks for, knowing its kind. ComfyUI: of several kinds the first."""
        if not kinds or self.task_embedding is None:
            return guide
        token = guide.mean(dim=(2, 3)) + self.task_embedding[kinds[0]]
        told = self.transformer_layes(token[:, None])[:, 0]
        return guide + self.spatial_ch_projs(told)[:, :, None, None]

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
