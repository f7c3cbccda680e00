"""The small picture that an upscaling network is shown besides the latent, and the noise on it.

Noise hides what is wrong with a small picture, such as the marks of JPEG; the network is told how much of it there is.

Source: Ho et al. 2021, arXiv 2106.15282, section 4.2 (conditioning augmentation); the levels are those of Stable
Diffusion's x4 upscaler (x4-upscaling.yaml of github.com/Stability-AI/stablediffusion); node_behaviour.md A.5.
"""

from functools import lru_cache

import torch
from torch import Tensor

from engine.sampling.betas import PRESETS

MOST = 350
"""The highest level of noise that the network has seen on its pictures."""

SEED_BEFORE = 10
"""How far before the run's seed that of this noise is."""


def level(amount: float) -> int:
    """The step of the training schedule for an amount of noise of 0 … 1."""
    return round(MOST * min(max(amount, 0.0), 1.0))


def noised(picture: Tensor, amount: float, seed: int) -> Tensor:
    """The picture with so much noise on it; even 0 is the first step of the schedule and not none at all.

    Shapes: picture [B, 3, H, W] of -1 … 1. Returns: the same, float32 on the CPU.
    """
    alpha_bar = _alpha_bars()[level(amount)]
    picture = picture.float().cpu()
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed - SEED_BEFORE))
    return alpha_bar.sqrt() * picture + (1 - alpha_bar).sqrt() * noise


@lru_cache(maxsize=1)
def _alpha_bars() -> Tensor:
    return PRESETS["upscaler"].alpha_bars().float()
