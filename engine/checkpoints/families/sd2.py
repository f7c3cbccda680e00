"""Stable Diffusion 2.x: noise or velocity, inpainting (9 input channels), depth (5), unCLIP, and Lotus, made of it."""

from engine.checkpoints.families.unets import LINEAR, NO_CLASSES, NO_TIME, OUTPUT, TEXT, UNET, classes
from engine.checkpoints.family import Family
from engine.checkpoints.texts import CLIP_H
from engine.models.latent_format import SD2

TEXTS = (CLIP_H.below("cond_stage_model.model.", "conditioner.embedders.0.model."),)

FAMILY = Family(
    id="sd2",
    name="Stable Diffusion 2.x",
    conditions=(UNET, TEXT, LINEAR, NO_CLASSES, NO_TIME, OUTPUT),
    latent_format=SD2,
    texts=TEXTS,
    float32_attention=True,
)

UNCLIP = Family(
    id="sd2_unclip",
    name="Stable Diffusion 2.1 unCLIP",
    conditions=(UNET, TEXT, LINEAR, classes(1536, 2048), NO_TIME, OUTPUT),
    latent_format=SD2,
    texts=TEXTS,
    prediction="v",
    vector="unclip",
    vision_prefix="embedder.model.visual.",
    float32_attention=True,
)

LOTUS = Family(
    id="lotus_d",
    name="Lotus (depth or normals)",
    conditions=(UNET, TEXT, LINEAR, classes(4), NO_TIME, OUTPUT),
    latent_format=SD2,
    texts=TEXTS,
    prediction="img_to_img",
    vector="lotus",
)
