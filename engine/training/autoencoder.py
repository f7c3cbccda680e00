"""The first phase: an autoencoder that turns icons into latents and back."""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from engine.models.vae import AutoencoderKL, VAEConfig
from engine.training.backgrounds import Backgrounds
from engine.training.loop import Budget, Losses, Phase, Settings
from engine.training.objective import divergence, reconstruction

CONFIG = VAEConfig(channels=64, multipliers=(1, 1, 2, 2), res_blocks=1)
KL_WEIGHT = 1e-6  # Rombach et al. 2022, appendix G.
LATENT_SCALE = 0.18215  # Stable Diffusion 1; latents times this must have unit variance.


class Crops:
    """Small squares out of composed icons, drawn fresh for every batch.

    Half of them keep the icon's own pixels; the others are shifted by fractions, shrunk or enlarged.
    """

    def __init__(self, icons: Tensor, size: int = 64) -> None:
        """Shapes: icons [N, 4, H, W]: premultiplied RGB and alpha, 0 … 1."""
        self.icons = icons
        self.halves = torch.nn.functional.avg_pool2d(icons, 2)
        self.size = size
        self.backgrounds = Backgrounds()

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Shapes: [count, 3, size, size]. Units: pixels -1 … 1."""
        pick = torch.randint(len(self.icons), (count,), generator=generator)
        kind = torch.rand(1, generator=generator).item()
        source = self.icons if kind < 0.8 else self.halves
        layers = self._crop(source[pick], exact=kind < 0.5, generator=generator)
        ground = self.backgrounds.draw(count, self.size, generator)
        return (layers[:, :3] + (1 - layers[:, 3:]) * ground) * 2 - 1

    def _crop(self, icons: Tensor, exact: bool, generator: torch.Generator) -> Tensor:
        count, side = len(icons), icons.shape[-1]
        # The middle of the crop stays over the icon: its corners may not come further in than the icon's middle.
        reach = max(side - self.size, self.size // 4) / 2
        shift = (torch.rand(count, 2, generator=generator) * 2 - 1) * reach
        zoom = torch.ones(count)
        if exact:
            shift = shift.round()
        else:
            zoom = 0.8 + 0.4 * torch.rand(count, generator=generator)
        theta = torch.zeros(count, 2, 3)
        theta[:, 0, 0] = theta[:, 1, 1] = zoom * self.size / side
        theta[:, :, 2] = shift / (side / 2)
        grid = affine_grid(theta, [count, 4, self.size, self.size], align_corners=False)
        return grid_sample(icons, grid, align_corners=False)


def train(crops: Crops, phase: Phase, batch: int, budget: Budget, deadline: float) -> None:
    """Teach the autoencoder of `phase` to draw what it sees."""
    network = cast(AutoencoderKL, phase.networks["autoencoder"])

    def draw(generator: torch.Generator) -> Losses:
        pixels = crops.draw(batch, generator).to(phase.device)
        mean, logvar = network.moments(pixels)
        noise = torch.randn(mean.shape, generator=generator).to(phase.device)
        drawn = network.decode(mean + noise * (logvar / 2).exp())
        error, kl = reconstruction(drawn, pixels), divergence(mean, logvar)
        return {"loss": error + KL_WEIGHT * kl, "reconstruction": error, "kl": kl}

    phase.run(draw, budget, deadline)


def phase(folder: Path, settings: Settings, device: torch.device) -> Phase:
    """A fresh phase with an untrained autoencoder, the same for the same seed."""
    torch.manual_seed(settings.seed)
    return Phase("autoencoder", folder, nn.ModuleDict({"autoencoder": AutoencoderKL(CONFIG)}), settings, device)
