"""T2I-Adapters: small networks that read a hint alone, once, and add what they see on the UNet's way down.

Source: Mou et al. 2023, arXiv 2302.08453; node_behaviour.md C.2 and C.4 for the layouts of files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pixel_unshuffle, relu

from engine.errors import CheckpointError
from engine.models.control import ControlResiduals
from engine.models.shapes import numbered

Shapes = Mapping[str, tuple[int, ...]]
Kind = Literal["full", "light"]

SD1_PLACES = (2, 5, 8, 11)
SDXL_PLACES = (3, 5, 8)
"""The input blocks that get the four features; SDXL's last goes behind the middle block."""

STAGES = 4
XL_INPUTS = (256, 768)
"""Channels of a folded picture (grey, coloured) by which SDXL's adapters are known. Source: node_behaviour.md C.4."""


@dataclass(frozen=True)
class AdapterConfig:
    """`channels` of the hint; `widths` of the four features; `depth` residual blocks for each; `fold`, how many pixels
    in a row become one cell; `halves`, before which stages the size is halved, by a convolution if `learns_halving`.
    """

    kind: Kind = "full"
    channels: int = 3
    widths: tuple[int, ...] = (320, 640, 1280, 1280)
    depth: int = 2
    kernel: int = 1
    fold: int = 8
    halves: tuple[int, ...] = (1, 2, 3)
    learns_halving: bool = False
    is_sdxl: bool = False

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> "AdapterConfig":
        """Read the configuration off the tensors of a file. Raises: CheckpointError when there is no adapter."""
        if "body.0.in_conv.weight" in shapes and "body.0.out_conv.weight" in shapes:
            inputs = shapes["body.0.in_conv.weight"][1]
            return cls(
                kind="light",
                channels=_channels(inputs, 8),
                widths=tuple(shapes[f"body.{stage}.out_conv.weight"][0] for stage in range(STAGES)),
                depth=numbered(shapes, "body.0.body.{}.block1.weight"),
                kernel=shapes["body.0.body.0.block2.weight"][-1],
            )
        if "conv_in.weight" not in shapes or "body.0.block1.weight" not in shapes:
            raise CheckpointError("no T2I-Adapter inside: expected conv_in.weight or body.0.in_conv.weight")
        inputs = shapes["conv_in.weight"][1]
        is_sdxl = inputs in XL_INPUTS
        channels = _channels(inputs, 16 if is_sdxl else 8)
        blocks = numbered(shapes, "body.{}.block1.weight")
        if blocks % STAGES:
            raise CheckpointError(f"a T2I-Adapter of {blocks} blocks, expected as many for each of its {STAGES} sizes")
        depth = blocks // STAGES
        return cls(
            channels=channels,
            widths=tuple(shapes[f"body.{depth * stage}.block1.weight"][0] for stage in range(STAGES)),
            depth=depth,
            kernel=shapes["body.0.block2.weight"][-1],
            fold=16 if is_sdxl else 8,
            halves=(2,) if is_sdxl else (1, 2, 3),
            learns_halving=any(name.endswith("down_opt.op.weight") for name in shapes),
            is_sdxl=is_sdxl,
        )


class T2IAdapter(nn.Module):
    """Four features of a hint, from fine to coarse, and where in the UNet they are added."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        inputs = config.channels * config.fold**2
        if config.kind == "full":
            self.conv_in: nn.Module | None = nn.Conv2d(inputs, config.widths[0], 3, padding=1)
            self.body = nn.ModuleList(_full_blocks(config))
        else:
            self.conv_in = None
            before = (inputs, *config.widths)
            self.body = nn.ModuleList(LightStage(config, before[stage], stage) for stage in range(STAGES))

    def forward(self, hint: Tensor) -> list[Tensor]:
        """Shapes: hint [B, channels, H, W] with sides that are multiples of `fold`. Returns: [B, widths[i], …] each."""
        x = pixel_unshuffle(hint, self.config.fold)  # [B, C·f², H / f, W / f]
        if self.conv_in is not None:
            x = self.conv_in(x)  # [B, widths[0], H / f, W / f]
        features = []
        every = len(self.body) // STAGES
        for index, block in enumerate(self.body):
            x = block(x)  # [B, widths[i], h, w]
            if index % every == every - 1:
                features.append(x)
        return features

    def placed(self, features: list[Tensor]) -> ControlResiduals:
        """The features at the places of the UNet that they are for."""
        places = SDXL_PLACES if self.config.is_sdxl else SD1_PLACES
        encoder: list[Tensor | None] = [None] * (places[-1] + 1)
        for place, feature in zip(places, features, strict=False):
            encoder[place] = feature
        return ControlResiduals(encoder=tuple(encoder), middle=features[-1] if self.config.is_sdxl else None)


class FullBlock(nn.Module):
    """A residual block, perhaps halving the size and changing the width first."""

    def __init__(self, before: int, width: int, config: AdapterConfig, *, is_halving: bool) -> None:
        super().__init__()
        kernel, padding = config.kernel, config.kernel // 2
        self.is_halving = is_halving
        self.down_opt = _Halving(before) if is_halving and config.learns_halving else None
        self.in_conv = nn.Conv2d(before, width, kernel, padding=padding) if before != width else None
        self.block1 = nn.Conv2d(width, width, 3, padding=1)
        self.block2 = nn.Conv2d(width, width, kernel, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        if self.is_halving:
            x = _halved(x) if self.down_opt is None else self.down_opt(x)
        if self.in_conv is not None:
            x = self.in_conv(x)
        return x + self.block2(relu(self.block1(x)))


class LightStage(nn.Module):
    """All of one size in a quarter of the width."""

    def __init__(self, config: AdapterConfig, before: int, stage: int) -> None:
        super().__init__()
        width = config.widths[stage]
        self.is_halving = stage in config.halves
        self.in_conv = nn.Conv2d(before, width // 4, 1)
        self.body = nn.Sequential(*(_LightBlock(width // 4, config.kernel) for _ in range(config.depth)))
        self.out_conv = nn.Conv2d(width // 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = _halved(x) if self.is_halving else x
        return self.out_conv(self.body(self.in_conv(x)))


class _LightBlock(nn.Module):
    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.block1 = nn.Conv2d(width, width, 3, padding=1)
        self.block2 = nn.Conv2d(width, width, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block2(relu(self.block1(x)))


class _Halving(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


def _full_blocks(config: AdapterConfig) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    before = config.widths[0]
    for stage, width in enumerate(config.widths):
        for index in range(config.depth):
            blocks.append(FullBlock(before, width, config, is_halving=index == 0 and stage in config.halves))
            before = width
    return blocks


def _halved(x: Tensor) -> Tensor:
    # Rounded up, as the UNet's own halving of odd sizes is.
    return avg_pool2d(x, 2, ceil_mode=True)


def _channels(inputs: int, fold: int) -> int:
    if inputs % fold**2:
        raise CheckpointError(
            f"a T2I-Adapter of {inputs} folded channels, expected a multiple of {fold**2}; it is of an unknown kind"
        )
    return inputs // fold**2
