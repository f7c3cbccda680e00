"""Stable Diffusion's x4 upscaler: a picture four times as large, drawn on latents of the small one's size.

Its network sees the small picture as three more channels, is told by a table how much noise is on that, and attends
to cells at the coarsest level only. Source: x4-upscaling.yaml of github.com/Stability-AI/stablediffusion;
node_behaviour.md A.4 and A.5.
"""

from engine.checkpoints.families.sd2 import TEXTS
from engine.checkpoints.families.unets import LINEAR, NO_TIME, OUTPUT, TEXT, UNET, channels
from engine.checkpoints.family import Family, HasAny
from engine.models.latent_format import X4_UPSCALER
from engine.models.unet_config import TABLE
from engine.sampling.betas import PRESETS

FAMILY = Family(
    id="x4_upscaler",
    name="Stable Diffusion x4 upscaler",
    conditions=(UNET, TEXT, LINEAR, channels(7), HasAny((TABLE,), "a table of noise levels"), NO_TIME, OUTPUT),
    latent_format=X4_UPSCALER,
    texts=TEXTS,
    prediction="v",
    vector="noise_level",
    betas=PRESETS["upscaler"],
)
