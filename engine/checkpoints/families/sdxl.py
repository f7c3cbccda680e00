"""SDXL: its base in all its kinds (Turbo, inpainting, editing, the reduced ones), and its refiner.

Source: Podell et al. 2023, arXiv 2307.01952.
"""

from dataclasses import replace

from engine.checkpoints.families.unets import LINEAR, NO_TIME, OUTPUT, TEXT, UNET, classes
from engine.checkpoints.family import Family
from engine.checkpoints.texts import CLIP_G, CLIP_L
from engine.models.latent_format import SDXL

TEXTS = (
    replace(CLIP_L, last_layer=-2, final_norm=False, prefix="conditioner.embedders.0.transformer."),
    CLIP_G.below("conditioner.embedders.1.model."),
)

FAMILY = Family(
    id="sdxl",
    name="SDXL",
    conditions=(UNET, TEXT, LINEAR, classes(2816), NO_TIME, OUTPUT),
    latent_format=SDXL,
    texts=TEXTS,
    vector="sdxl",
)

REFINER = Family(
    id="sdxl_refiner",
    name="SDXL refiner",
    conditions=(UNET, TEXT, LINEAR, classes(2560), NO_TIME, OUTPUT),
    latent_format=SDXL,
    texts=(CLIP_G.below("conditioner.embedders.0.model."),),
    vector="refiner",
)
