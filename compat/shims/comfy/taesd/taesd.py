"""TAESD: an autoencoder small enough to show pictures while they are being made.

Source: github.com/madebyollin/taesd (MIT), the layout of its published weights.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compat.missing import missing
from engine.checkpoints.tensors import open_tensors


def conv(n_in: int, n_out: int, **kwargs: Any) -> nn.Conv2d:
    """A 3×3 convolution that keeps the size."""
    return nn.Conv2d(n_in, n_out, 3, padding=1, **kwargs)


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
        return self.fuse(self.conv(x) + self.skip(x))


def Encoder(latent_channels: int = 4) -> nn.Sequential:
    """Pictures of 0 … 1 to latents eight times smaller."""
    layers: list[nn.Module] = [conv(3, 64), Block(64, 64)]
    for _ in range(3):
        layers += [conv(64, 64, stride=2, bias=False), *(Block(64, 64) for _ in range(3))]
    return nn.Sequential(*layers, conv(64, latent_channels))


def Decoder(latent_channels: int = 4) -> nn.Sequential:
    """Latents to pictures of 0 … 1."""
    layers: list[nn.Module] = [Clamp(), conv(latent_channels, 64), nn.ReLU()]
    for _ in range(3):
        layers += [*(Block(64, 64) for _ in range(3)), nn.Upsample(scale_factor=2), conv(64, 64, bias=False)]
    return nn.Sequential(*layers, Block(64, 64), conv(64, 3))


class TAESD(nn.Module):
    """Both halves, each from its file where one is given; `vae_scale` and `vae_shift` are the family's latents'."""

    def __init__(self, encoder_path: Any = None, decoder_path: Any = None, latent_channels: int = 4) -> None:
        super().__init__()
        self.vae_shift = nn.Parameter(torch.tensor(0.0))
        self.vae_scale = nn.Parameter(torch.tensor(1.0))
        self.taesd_encoder = Encoder(latent_channels)
        self.taesd_decoder = Decoder(latent_channels)
        for half, path in ((self.taesd_encoder, encoder_path), (self.taesd_decoder, decoder_path)):
            if path is not None:
                half.load_state_dict(open_tensors(Path(path)).read())

    def decode(self, x: Tensor) -> Tensor:
        """Pictures of −1 … 1. Shapes: x [B, C, h, w]; returns [B, 3, 8·h, 8·w]."""
        return self.taesd_decoder((x - self.vae_shift) * self.vae_scale).sub(0.5).mul(2)

    def encode(self, x: Tensor) -> Tensor:
        """Latents of pictures of −1 … 1. Shapes: x [B, 3, H, W]; returns [B, C, H / 8, W / 8]."""
        return self.taesd_encoder(x * 0.5 + 0.5) / self.vae_scale + self.vae_shift


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
