"""How the latents of a family are scaled for its denoiser, and what colour they are at a glance."""

from dataclasses import dataclass

import torch
from torch import Tensor

Rows = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class LatentFormat:
    """The step between latents as the autoencoder makes them and latents as the denoiser was trained on.

    A scale of about 1 / standard deviation gives the denoiser latents of unit variance. `shift`, and `mean` and
    `deviation` per channel, are taken off first where a family has them. `rgb_factors` (one row per channel) and
    `rgb_bias` turn the denoiser's latents into a small picture of -1 … 1; without them a family has no quick preview.
    """

    scale: float
    shift: float = 0.0
    channels: int = 4
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    rgb_factors: Rows = ()
    rgb_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def to_model(self, latent: Tensor) -> Tensor:
        """The latent as the denoiser wants it.

        Shapes: latent [B, C, h, w], from the autoencoder. Returns: the same shape.
        """
        mean, deviation = self._statistics(latent)
        return (latent - mean) * (self.scale / deviation)

    def to_latent(self, x: Tensor) -> Tensor:
        """The latent as the autoencoder wants it: the way back from `to_model`.

        Shapes: x [B, C, h, w], from the denoiser. Returns: the same shape.
        """
        mean, deviation = self._statistics(x)
        return x * (deviation / self.scale) + mean

    def preview(self, x: Tensor) -> Tensor | None:
        """A small picture of the denoiser's latent without an autoencoder, one pixel per cell.

        Shapes: x [B, C, h, w].
        Returns: [B, h, w, 3] of 0 … 1, or None when nobody has measured the family's colours.
        """
        if not self.rgb_factors:
            return None
        factors = torch.tensor(self.rgb_factors, dtype=torch.float32, device=x.device)
        bias = torch.tensor(self.rgb_bias, dtype=torch.float32, device=x.device)
        rgb = torch.einsum("bchw,cr->bhwr", x.float(), factors) + bias
        return ((rgb + 1) / 2).clamp(0, 1)

    def _statistics(self, like: Tensor) -> tuple[Tensor | float, Tensor | float]:
        if not self.mean:
            return self.shift, 1.0
        return _per_channel(self.mean, like), _per_channel(self.deviation, like)


def _per_channel(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(1, -1, 1, 1)


# Source of the colours: K. Turner, discuss.huggingface.co/t/23204 (2022), a fit on Stable Diffusion 1.4.
SD1 = LatentFormat(
    scale=0.18215,
    rgb_factors=((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473)),
)
SD2 = SD1
# Source of the colours: T. A. Vass, "Explaining the SDXL latent space", huggingface.co/blog (2023), there 0 … 255.
_SDXL_FACTORS = ((60, 60, 60), (-60, -5, 10), (25, 15, -5), (-70, -50, -35))
_SDXL_BIAS = (150, 140, 130)
SDXL = LatentFormat(
    scale=0.13025,
    rgb_factors=tuple((r / 127.5, g / 127.5, b / 127.5) for r, g, b in _SDXL_FACTORS),
    rgb_bias=(_SDXL_BIAS[0] / 127.5 - 1, _SDXL_BIAS[1] / 127.5 - 1, _SDXL_BIAS[2] / 127.5 - 1),
)
# Source: the model card of playgroundai/playground-v2.5-1024px-aesthetic.
PLAYGROUND = LatentFormat(
    scale=0.5,
    mean=(-1.6574, 1.886, -1.383, 2.5155),
    deviation=(8.4927, 5.9022, 6.5498, 5.2299),
    rgb_factors=SDXL.rgb_factors,
    rgb_bias=SDXL.rgb_bias,
)
X4_UPSCALER = LatentFormat(scale=0.08333)
SD3 = LatentFormat(scale=1.5305, shift=0.0609, channels=16)
FLUX = LatentFormat(scale=0.3611, shift=0.1159, channels=16)
