"""The third phase: the UNet learns to see the noise in a latent, and the text encoder to guide it."""

from pathlib import Path

import torch
from torch import Tensor, nn

from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.sampling.betas import BetaSchedule
from engine.training.loop import Budget, Losses, Phase, Settings
from engine.training.objective import min_snr_weights, noise_error
from engine.training.text_tower import WIDTH, TextTower

HEADS = 4
CONFIG = UNetConfig(
    model_channels=64,
    channel_multipliers=(1, 2, 2),
    res_blocks=(2, 2, 2),
    input_depths=(1,) * 6,
    output_depths=(1,) * 9,
    context_width=WIDTH,
    heads=HEADS,
)
CAPTION_DROPOUT = 0.1  # Ho and Salimans 2022, arXiv 2207.12598: what makes guidance possible.


def phase(
    folder: Path, tower: TextTower, settings: Settings, device: torch.device, config: UNetConfig = CONFIG
) -> Phase:
    """A fresh phase with an untrained UNet, and the text tower as the second phase left it."""
    torch.manual_seed(settings.seed)
    unet = UNet(config)
    # An output that starts at zero and blocks that start as "change nothing" (Nichol and Dhariwal 2021's choice).
    for name, weight in unet.named_parameters():
        if name.endswith(("out_layers.3.weight", "proj_out.weight", "out.2.weight")):
            nn.init.zeros_(weight)
    return Phase("denoiser", folder, nn.ModuleDict({"unet": unet, "text": tower}), settings, device)


class Samples:
    """Latents with their captions, and the noise to hide them in.

    Shapes: latents [P, 4, h, w]; rows [S], each scene's latent; tokens [S, 77]; empty [77], the empty caption.
    """

    def __init__(self, latents: Tensor, rows: Tensor, tokens: Tensor, empty: Tensor) -> None:
        self.latents, self.rows, self.tokens, self.empty = latents, rows, tokens, empty
        self.alpha_bars = BetaSchedule().alpha_bars().float()
        self.weights = min_snr_weights(self.alpha_bars)

    def draw(self, batch: int, generator: torch.Generator, dropout: float) -> tuple[Tensor, ...]:
        """Noisy latents, timesteps, tokens, the noise itself and each sample's weight."""
        pick = torch.randint(len(self.rows), (batch,), generator=generator)
        clean = self.latents[self.rows[pick]].float()
        times = torch.randint(len(self.alpha_bars), (batch,), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        alpha_bar = self.alpha_bars[times].view(-1, 1, 1, 1)
        noisy = alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise
        dropped = torch.rand(batch, generator=generator) < dropout
        tokens = torch.where(dropped[:, None], self.empty, self.tokens[pick])
        return noisy, times, tokens.long(), noise, self.weights[times]


def train(samples: Samples, phase: Phase, batch: int, budget: Budget, deadline: float) -> None:
    """Teach the UNet and the text tower of `phase` to find the noise."""

    def draw(generator: torch.Generator) -> Losses:
        drawn = samples.draw(batch, generator, CAPTION_DROPOUT)
        noisy, times, tokens, noise, weights = (part.to(phase.device) for part in drawn)
        error = _error(phase.networks, noisy, times, tokens, noise)
        return {"loss": (weights * error).mean(), "eps_mse": error.mean()}

    phase.run(draw, budget, deadline)


def _error(networks: nn.ModuleDict, noisy: Tensor, times: Tensor, tokens: Tensor, noise: Tensor) -> Tensor:
    context, _ = networks["text"](tokens)
    return noise_error(networks["unet"](noisy, times, context), noise)
