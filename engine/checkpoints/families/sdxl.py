"""SDXL: text to picture in two text encoders' words, and the size it is told to draw."""

from dataclasses import replace

from engine.checkpoints.texts import CLIP_G, CLIP_L

TEXTS = (
    replace(CLIP_L, last_layer=-2, final_norm=False, prefix="conditioner.embedders.0.transformer."),
    CLIP_G.below("conditioner.embedders.1.model."),
)
