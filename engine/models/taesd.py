"""TAESD: an autoencoder small enough to show pictures while they are being made.

Source: github.com/madebyollin/taesd (MIT), the layout of its published weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

WIDTH = 64

LATENTS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"taesd": (0.18215, 0.0), "taesdxl": (0.13025, 0.0), "taesd3": (1.5305, 0.0609), "taef1": (0.3611, 0.1159)}
)
"""Name of a published one -> scale and shift of the latents it knows. Source: node_behaviour.md 6, VAELoader."""

MARK = "taesd_decoder.1.weight"
"""A tensor that gives one away in a file with both halves."""


@dataclass(frozen=True)
class TinyConfig:
    """What decides its shape; `channels` is how wide its finest level is."""

    latent_channels: int = 4
    channels: int = WIDTH


class TinyAutoencoder(nn.Module):
    """Both halves; `vae_scale` and `vae_shift` are those of the latents it was trained on."""

    downscale: Literal[8] = 8

    def __init__(self, config: TinyConfig | None = None) -> None:
        super().__init__()
        self.config = config or TinyConfig()
        self.vae_shift = nn.Parameter(torch.tensor(0.0))
        self.vae_scale = nn.Parameter(torch.tensor(1.0))
        self.taesd_encoder = encoder(self.config.latent_channels)
        self.taesd_decoder = decoder(self.config.latent_channels)

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures of -1 … 1. Shapes: latent [B, C, h, w]; returns [B, 3, 8·h, 8·w]."""
        pictures: Tensor = self.taesd_decoder((latent - self.vae_shift) * self.vae_scale)
        return pictures.sub(0.5).mul(2)

    def encode(self, pixels: Tensor) -> Tensor:
        """Latents of pictures of -1 … 1. Shapes: pixels [B, 3, H, W]; returns [B, C, H / 8, W / 8]."""
        latent: Tensor = self.taesd_encoder(pixels * 0.5 + 0.5)
        return latent / self.vae_scale + self.vae_shift


def encoder(latent_channels: int = 4) -> nn.Sequential:
    """Pictures of 0 … 1 to latents eight times smaller."""
    layers: list[nn.Module] = [conv(3, WIDTH), Block(WIDTH, WIDTH)]
    for _ in range(3):
        layers += [conv(WIDTH, WIDTH, stride=2, bias=False), *(Block(WIDTH, WIDTH) for _ in range(3))]
    return nn.Sequential(*layers, conv(WIDTH, latent_channels))


def decoder(latent_channels: int = 4) -> nn.Sequential:
    """Latents to pictures of 0 … 1."""
    layers: list[nn.Module] = [Clamp(), conv(latent_channels, WIDTH), nn.ReLU()]
    for _ in range(3):
        layers += [*(Block(WIDTH, WIDTH) for _ in range(3)), nn.Upsample(scale_factor=2)]
        layers += [conv(WIDTH, WIDTH, bias=False)]
    return nn.Sequential(*layers, Block(WIDTH, WIDTH), conv(WIDTH, 3))


def conv(n_in: int, n_out: int, **options: Any) -> nn.Conv2d:
    """A 3×3 convolution that keeps the size."""
    return nn.Conv2d(n_in, n_out, 3, padding=1, **options)


class Clamp(nn.Module):
    """Latents kept within ±3, softly."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    """Three convolutions added to the input."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(conv(n_in, n_out), nn.ReLU(), conv(n_out, n_out), nn.ReLU(), conv(n_out, n_out))
        self.skip = nn.Conv2d(n_in, n_out, 1, bias=False) if n_in != n_out else nn.Identity()
        self.fuse = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.fuse(self.conv(x) + self.skip(x))
        return added
