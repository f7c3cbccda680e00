"""The denoiser phase hides latents in the right amount of noise and learns to find it again."""

from pathlib import Path

import torch
from torch import nn

from engine.models.unet_config import UNetConfig
from engine.text.tokenizer import END
from engine.training import denoiser
from engine.training.denoiser import Samples
from engine.training.loop import Budget, Settings
from engine.training.text_tower import TextTower

CPU = torch.device("cpu")
TINY = UNetConfig(
    model_channels=8,
    channel_multipliers=(1, 2),
    res_blocks=(1, 1),
    input_depths=(1, 1),
    output_depths=(1, 1, 1, 1),
    context_width=16,
    heads=2,
)


def samples() -> Samples:
    latents = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0)).half()
    tokens = torch.full((4, 77), END, dtype=torch.int32)
    tokens[:, 1] = torch.arange(4)
    return Samples(latents, torch.arange(4), tokens, torch.full((77,), END, dtype=torch.int32))


@torch.no_grad()
def error_of(networks: nn.ModuleDict) -> float:
    """The mean squared error of the predicted noise, over other noise than training draws."""
    noisy, times, tokens, noise, _ = samples().draw(256, torch.Generator().manual_seed(5), dropout=0.0)
    return (networks["unet"](noisy, times, networks["text"](tokens)[0]) - noise).square().mean().item()


def test_noise_can_be_taken_out_again_with_the_schedule() -> None:
    drawn = samples()
    noisy, times, tokens, noise, weights = drawn.draw(16, torch.Generator().manual_seed(1), dropout=0.0)
    alpha_bar = drawn.alpha_bars[times].view(-1, 1, 1, 1)
    clean = (noisy - (1 - alpha_bar).sqrt() * noise) / alpha_bar.sqrt()
    assert torch.allclose(clean, drawn.latents[tokens[:, 1]].float(), atol=1e-3)
    snr = (alpha_bar / (1 - alpha_bar)).flatten()
    assert torch.allclose(weights * snr, snr.clamp(max=5.0), rtol=1e-4)


def test_dropped_captions_are_empty_ones() -> None:
    tokens = samples().draw(1000, torch.Generator().manual_seed(1), dropout=0.1)[2]
    dropped = (tokens[:, 1] == END).float().mean()
    assert 0.06 < dropped < 0.14


def test_the_error_falls_below_that_of_guessing_nothing(tmp_path: Path) -> None:
    tower = TextTower([0, 1, 2, 3, END], width=16, layers=1, heads=2)
    settings = Settings(5e-3, warmup_steps=5, ema_decay=0.9, bfloat16=False)
    phase = denoiser.phase(tmp_path, tower, settings, CPU, TINY)
    before = error_of(phase.networks)
    denoiser.train(samples(), phase, 8, Budget(steps=60), float("inf"))
    after = error_of(phase.networks)
    assert 0.8 < before < 1.2
    assert after < 0.7 * before


def test_an_untrained_network_answers_the_same_to_everything(tmp_path: Path) -> None:
    tower = TextTower([0, END], width=16, layers=1, heads=2)
    phase = denoiser.phase(tmp_path, tower, Settings(1e-3), CPU, TINY)
    unet = phase.networks["unet"]
    with torch.no_grad():
        answers = [unet(torch.randn(1, 4, 8, 8), torch.tensor([t]), torch.randn(1, 77, 16)) for t in (5, 900)]
    bias = dict(unet.named_parameters())["out.2.bias"].detach().view(1, 4, 1, 1)
    assert all(torch.allclose(answer, bias.expand_as(answer), atol=1e-6) for answer in answers)
