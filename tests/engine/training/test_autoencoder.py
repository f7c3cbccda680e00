"""Crops show the icons as they are, and both autoencoder phases learn from them."""

from pathlib import Path

import torch
from torch import nn

from engine.models.vae import AutoencoderKL, VAEConfig
from engine.training import autoencoder, decoder
from engine.training.captions import Picture, Placed
from engine.training.loop import Budget, Phase, Settings

CPU = torch.device("cpu")
SMALL = VAEConfig(channels=8, multipliers=(1, 1, 2, 2), res_blocks=1)
SETTINGS = Settings(2e-3, warmup_steps=5, ema_decay=0.9, log_steps=1, bfloat16=False)


def layers(side: int = 32) -> torch.Tensor:
    """Two opaque squares, a red and a blue one, that fill the middle."""
    made = torch.zeros(2, 4, side, side)
    middle = slice(side // 8, -side // 8)
    made[:, 3, middle, middle] = 1
    made[0, 0, middle, middle] = 1
    made[1, 2, middle, middle] = 1
    return made


def test_crops_are_in_range_and_show_both_icons_and_backgrounds() -> None:
    crops = autoencoder.Crops(layers(), size=16)
    drawn = torch.cat([crops.draw(8, torch.Generator().manual_seed(seed)) for seed in range(8)])
    assert drawn.shape == (64, 3, 16, 16)
    assert drawn.min() >= -1
    assert drawn.max() <= 1.0001
    red = (drawn[:, 0] > 0.99) & (drawn[:, 1] < -0.99)
    white = (drawn > 0.99).all(dim=1)
    assert red.float().mean() > 0.1
    assert white.float().mean() > 0.05


def test_a_small_autoencoder_draws_better_after_training(tmp_path: Path) -> None:
    torch.manual_seed(0)
    phase = Phase("autoencoder", tmp_path, nn.ModuleDict({"autoencoder": AutoencoderKL(SMALL)}), SETTINGS, CPU)
    losses = []

    def remember(measured: dict[str, float]) -> None:
        losses.append(measured["reconstruction"])

    phase._log = remember  # type: ignore[method-assign, assignment]
    autoencoder.train(autoencoder.Crops(layers(), 16), phase, 8, Budget(steps=60), float("inf"))
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_the_decoder_learns_without_touching_the_encoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = AutoencoderKL(SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    phase = decoder.phase(tmp_path, network, SETTINGS, CPU)
    pictures = [Picture((Placed(0),)), Picture((Placed(1),))]
    clean = torch.randn(2, 4, 4, 4)
    decoder.train(pictures, clean, layers(), phase, 2, Budget(steps=3), float("inf"))
    changed = {
        name.split(".")[0] for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"decoder", "post_quant_conv"}
