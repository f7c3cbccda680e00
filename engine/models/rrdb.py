"""RRDBNet: the upscaling network of ESRGAN, Real-ESRGAN, BSRGAN and their many children.

Attributes have BasicSR's names, which the newer checkpoints use. Source: Wang et al. 2018, "ESRGAN", arXiv 1809.00219;
the unshuffled inputs: Wang et al. 2021, "Real-ESRGAN", arXiv 2107.10833; the 1×1 convolution: Rakotonirina and
Rasoanaivo 2020, "ESRGAN+", arXiv 2001.08073.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad, pixel_unshuffle

SLOPE = 0.2  # of every LeakyReLU, and the share of every residual
RESIDUAL = 0.2


@dataclass(frozen=True)
class RRDBConfig:
    """What tells one RRDBNet from another.

    `channels` of the picture in and out; `features` wide trunk of so many `blocks`, each growing by `growth`; `ups`
    doublings; `unshuffle` 2 or 4 folds pixels into channels first, so that it works on a smaller picture;
    `has_shortcut` for ESRGAN+.
    """

    channels: int = 3
    out_channels: int = 3
    features: int = 64
    blocks: int = 23
    growth: int = 32
    ups: int = 2
    unshuffle: int = 1
    has_shortcut: bool = False

    @property
    def scale(self) -> float:
        """How many times larger the picture gets."""
        return 2**self.ups / self.unshuffle


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each of which sees the answers of all before it."""

    def __init__(self, config: RRDBConfig) -> None:
        super().__init__()
        wide, growth = config.features, config.growth
        self.conv1 = _conv(wide, growth)
        self.conv2 = _conv(wide + growth, growth)
        self.conv3 = _conv(wide + 2 * growth, growth)
        self.conv4 = _conv(wide + 3 * growth, growth)
        self.conv5 = _conv(wide + 4 * growth, wide)
        if config.has_shortcut:
            self.conv1x1 = nn.Conv2d(wide, growth, 1, bias=False)
        self.has_shortcut = config.has_shortcut

    def forward(self, x: Tensor) -> Tensor:
        one = _relu(self.conv1(x))
        two = _relu(self.conv2(torch.cat([x, one], 1)))
        if self.has_shortcut:
            two = two + self.conv1x1(x)
        three = _relu(self.conv3(torch.cat([x, one, two], 1)))
        four = _relu(self.conv4(torch.cat([x, one, two, three], 1)))
        if self.has_shortcut:
            four = four + two
        return self.conv5(torch.cat([x, one, two, three, four], 1)) * RESIDUAL + x


class RRDB(nn.Module):
    """Three dense blocks, and around them a residual of their own."""

    def __init__(self, config: RRDBConfig) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(config)
        self.rdb2 = ResidualDenseBlock(config)
        self.rdb3 = ResidualDenseBlock(config)

    def forward(self, x: Tensor) -> Tensor:
        return self.rdb3(self.rdb2(self.rdb1(x))) * RESIDUAL + x


class RRDBNet(nn.Module):
    """A picture made larger."""

    def __init__(self, config: RRDBConfig) -> None:
        super().__init__()
        self.config = config
        wide = config.features
        self.conv_first = _conv(config.channels * config.unshuffle**2, wide)
        self.body = nn.Sequential(*(RRDB(config) for _ in range(config.blocks)))
        self.conv_body = _conv(wide, wide)
        for number in range(1, config.ups + 1):
            self.add_module(f"conv_up{number}", _conv(wide, wide))
        self.conv_hr = _conv(wide, wide)
        self.conv_last = _conv(wide, config.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x [B, C, H, W] in 0 … 1. Returns: [B, C', H·scale, W·scale]."""
        height, width = (int(side * self.config.scale) for side in x.shape[-2:])
        features = self.conv_first(_unshuffled(x, self.config.unshuffle))  # [B, D, h, w]
        features = features + self.conv_body(self.body(features))  # [B, D, h, w]
        for number in range(1, self.config.ups + 1):
            larger = interpolate(features, scale_factor=2, mode="nearest")
            features = _relu(self.get_submodule(f"conv_up{number}")(larger))  # [B, D, 2h, 2w]
        made = self.conv_last(_relu(self.conv_hr(features)))  # [B, C', …]
        return made[..., :height, :width]


def _conv(channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out_channels, 3, padding=1)


def _relu(x: Tensor) -> Tensor:
    return leaky_relu(x, SLOPE)


def _unshuffled(x: Tensor, factor: int) -> Tensor:
    """Pixels folded into channels; the border is repeated where the sides are no multiples."""
    if factor == 1:
        return x
    height, width = x.shape[-2:]
    return pixel_unshuffle(pad(x, (0, -width % factor, 0, -height % factor), mode="replicate"), factor)
