"""What ComfyUI's autoencoder is made of: the engine's own layers under ComfyUI's names."""

from typing import Any

from torch import Tensor, nn

from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from compat.missing import missing
from engine.models import vae

get_timestep_embedding = timestep_embedding


def nonlinearity(x: Tensor) -> Tensor:
    """The autoencoder's bend."""
    return nn.functional.silu(x)


def Normalize(in_channels: int, num_groups: int = 32) -> nn.Module:
    """The autoencoder's norm."""
    return nn.GroupNorm(min(num_groups, in_channels), in_channels, eps=1e-6)


class ResnetBlock(vae.PlainResBlock):
    """Two convolutions added to the input."""

    def forward(self, x: Tensor, temb: Any = None) -> Tensor:
        return super().forward(x)


class AttnBlock(vae.PixelAttention):
    """Attention in which every cell of the picture is a token."""


class Downsample(vae.Shrink):
    """Half the size."""


class Encoder(vae.Encoder):
    """Pixels to mean and log variance."""


class Decoder(vae.Decoder):
    """Latents to pixels."""


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
