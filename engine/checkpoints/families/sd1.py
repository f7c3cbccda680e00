"""Stable Diffusion 1.x: text to picture, inpainting (9 input channels), InstructPix2Pix (8)."""

from engine.checkpoints.families.unets import CONVOLUTIONS, NO_CLASSES, NO_TIME, OUTPUT, TEXT, UNET
from engine.checkpoints.family import Family
from engine.checkpoints.texts import CLIP_L
from engine.models.latent_format import SD1

FAMILY = Family(
    id="sd1",
    name="Stable Diffusion 1.x",
    conditions=(UNET, TEXT, CONVOLUTIONS, NO_CLASSES, NO_TIME, OUTPUT),
    latent_format=SD1,
    texts=(CLIP_L.below("cond_stage_model.transformer."),),
)
