"""The last phase: with the encoder frozen, the decoder alone learns to draw better what the latents say.

The latent space does not change, so this can run beside the denoiser or after it. A little noise on the latents makes
the decoder forgive the small errors that a denoiser leaves.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.models.vae import AutoencoderKL
from engine.training.autoencoder import LATENT_SCALE
from engine.training.captions import Picture
from engine.training.compositions import draw as draw_picture
from engine.training.loop import Budget, Losses, Phase, Settings
from engine.training.objective import reconstruction

NOISE = 0.06  # In parts of the latents' standard deviation, at most; below it nothing of a picture is lost.


class Decoding(nn.Module):
    """The decoder's half of an autoencoder, under the autoencoder's names."""

    def __init__(self, autoencoder: AutoencoderKL) -> None:
        super().__init__()
        self.post_quant_conv = autoencoder.post_quant_conv
        self.decoder = autoencoder.decoder

    def forward(self, latents: Tensor) -> Tensor:
        """Shapes: latents [B, 4, h, w], as the file has them; returns pixels [B, 3, 8·h, 8·w]."""
        return self.decoder(self.post_quant_conv(latents))


def phase(folder: Path, autoencoder: AutoencoderKL, settings: Settings, device: torch.device) -> Phase:
    """A fresh phase that starts from the autoencoder as the first phase left it."""
    return Phase("decoder", folder, nn.ModuleDict({"decoding": Decoding(autoencoder)}), settings, device)


def train(
    pictures: Sequence[Picture],
    latents: Tensor,
    layers: Tensor,
    phase: Phase,
    batch: int,
    budget: Budget,
    deadline: float,
) -> None:
    """Teach the decoder to draw `pictures` from their latents.

    Shapes: latents [P, 4, h, w], times 0.18215, one for each picture; layers [N, 4, s, s].
    """
    side = latents.shape[-1] * 8

    def draw(generator: torch.Generator) -> Losses:
        pick = torch.randint(len(pictures), (batch,), generator=generator)
        wanted = torch.stack([draw_picture(pictures[i], layers, side) for i in pick.tolist()]).to(phase.device)
        clean = latents[pick].float()
        strength = NOISE * torch.rand(batch, 1, 1, 1, generator=generator)
        noisy = clean + strength * torch.randn(clean.shape, generator=generator)
        drawn = phase.networks["decoding"]((noisy / LATENT_SCALE).to(phase.device))
        error = reconstruction(drawn, wanted)
        return {"loss": error, "reconstruction": error}

    phase.run(draw, budget, deadline)
