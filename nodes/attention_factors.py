"""Nodes that multiply the projections of attention layers, to try out what they do."""

from typing import Annotated

from engine.adapters import attention_factors
from engine.graph.define import Widget, node
from nodes.convert import need_clip
from nodes.types import Clip, Model

Factor = Annotated[float, Widget(min=0.0, max=10.0, step=0.01, tooltip="1 is as it was.")]

EXPERIMENTS = "_for_testing/attention_experiments"


@node("UNetSelfAttentionMultiply", category=EXPERIMENTS, is_experimental=True)
def unet_self_attention_multiply(
    *, model: Model, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0
) -> Model:
    """Multiply what a UNet's cells ask of each other (q), are found by (k) and say (v), and what is made of that."""
    factors = {"q": q, "k": k, "v": v, "out": out}
    return model.with_patches(attention_factors.of_unet(model.part.weights, "attn1", factors))


@node("UNetCrossAttentionMultiply", category=EXPERIMENTS, is_experimental=True)
def unet_cross_attention_multiply(
    *, model: Model, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0
) -> Model:
    """Multiply what a UNet's cells ask of the text (q), what words are found by (k) and say (v), and what it makes."""
    factors = {"q": q, "k": k, "v": v, "out": out}
    return model.with_patches(attention_factors.of_unet(model.part.weights, "attn2", factors))


@node("CLIPAttentionMultiply", category=EXPERIMENTS, is_experimental=True)
def clip_attention_multiply(
    *, clip: Clip, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0
) -> Clip:
    """Multiply what words ask of each other in a text encoder (q), are found by (k) and say (v), and what it makes."""
    encoder, factors = need_clip(clip), {"q": q, "k": k, "v": v, "out": out}
    return encoder.with_patches(attention_factors.of_text(encoder.weights, factors))


@node("UNetTemporalAttentionMultiply", category=EXPERIMENTS, is_experimental=True)
def unet_temporal_attention_multiply(
    *,
    model: Model,
    self_structural: Factor = 1.0,
    self_temporal: Factor = 1.0,
    cross_structural: Factor = 1.0,
    cross_temporal: Factor = 1.0,
) -> Model:
    """Multiply what attention adds in a UNet; networks for single pictures have no temporal layers, only structural."""
    structural = {"attn1": self_structural, "attn2": cross_structural}
    temporal = {"attn1": self_temporal, "attn2": cross_temporal}
    return model.with_patches(attention_factors.by_place_and_time(model.part.weights, structural, temporal))
