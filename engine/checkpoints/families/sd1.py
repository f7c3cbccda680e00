"""Stable Diffusion 1.x: text to picture, inpainting (9 input channels), InstructPix2Pix (8)."""

from engine.checkpoints.family import Axes, Family, HasAny, Lacks, TextSpec
from engine.models.latent_format import SD1

FAMILY = Family(
    id="sd1",
    name="Stable Diffusion 1.x",
    # Sizes are left open, so that a miniature in the same layout is of the family too.
    conditions=(
        HasAny(("input_blocks.0.0.weight",), "a UNet"),
        HasAny(("*.attn2.to_k.weight",), "attention to a text"),
        Axes("*1.proj_in.weight", 4, "convolutions around its transformers"),
        Lacks("label_emb.0.0.weight", "class embedding"),
        Lacks("*time_stack.0.attn1.to_q.weight", "attention over time"),
        HasAny(("out.2.weight",), "an output layer"),
    ),
    latent_format=SD1,
    texts=(TextSpec("clip_l", "cond_stage_model.transformer."),),
    vae_prefix="first_stage_model.",
)
