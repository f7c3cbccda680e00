"""The pieces that the convolutional networks share: norms, residual blocks, resizing, the embedding of time."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

GROUPS = 32  # Rombach et al. 2022 use 32 groups in every norm, whatever the width.


def group_norm(channels: int, eps: float = 1e-5) -> nn.GroupNorm:
    """A norm over 32 groups of channels; a narrow test net with fewer channels gets one group per channel."""
    return nn.GroupNorm(min(GROUPS, channels), channels, eps=eps)


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """A 3×3 convolution that keeps the size (or halves it, with stride 2)."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)


def timestep_embedding(timesteps: Tensor, width: int, max_period: float = 10000.0) -> Tensor:
    """Waves of falling frequency that tell a network the time; fractional times are fine.

    Shapes: timesteps [B].
    Returns: float32 [B, width], first the cosines, then the sines (an odd width ends in a zero).
    Source: Vaswani et al. 2017, section 3.5, in the order of latent diffusion checkpoints.
    """
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=timesteps.device) / half
    angles = timesteps.float()[:, None] * torch.exp(-math.log(max_period) * exponents)
    waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return pad(waves, (0, 1)) if width % 2 else waves


class Upsample(nn.Module):
    """Twice the size (or exactly the size asked for) by repeating pixels, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(channels, channels)

    def forward(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        target = size or (x.shape[-2] * 2, x.shape[-1] * 2)
        return self.conv(interpolate(x, size=target, mode="nearest"))


class Downsample(nn.Module):
    """Half the size by a strided convolution, as UNets do it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = conv3x3(channels, channels, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class ResBlock(nn.Module):
    """Two convolutions around the time embedding, added to the input: the UNet's residual block.

    Shapes: x [B, C, H, W]; embedding [B, E].
    Returns: [B, out_channels, H, W].
    Source: Ho et al. 2020, arXiv 2006.11239, appendix B.
    """

    def __init__(self, in_channels: int, out_channels: int, embedding_width: int) -> None:
        super().__init__()
        # The gaps (nn.Identity stands where checkpoints were trained with dropout) keep the key names.
        self.in_layers = nn.Sequential(group_norm(in_channels), nn.SiLU(), conv3x3(in_channels, out_channels))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding_width, out_channels))
        self.out_layers = nn.Sequential(
            group_norm(out_channels), nn.SiLU(), nn.Identity(), conv3x3(out_channels, out_channels)
        )
        same = in_channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.in_layers(x)
        h = h + self.emb_layers(embedding)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)
