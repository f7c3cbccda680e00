"""Nodes that change how a model is guided: what its answers are pushed away from, and where it may draw."""

from typing import Annotated

from engine.graph.define import Widget, node
from engine.steering import differential, formulas, self_attention
from engine.steering.places import middle_layers
from nodes.types import Model

Share = Annotated[float, Widget(min=0.0, max=1.0, step=0.01, tooltip="How much of it; 0 changes nothing.")]
Away = Annotated[float, Widget(min=0.0, max=100.0, step=0.01, round=0.01, tooltip="How strongly; 0 changes nothing.")]
Degree = Annotated[float, Widget(min=-2.0, max=5.0, step=0.01, tooltip="How strongly; 0 changes nothing.")]
Blur = Annotated[float, Widget(min=0.0, max=10.0, step=0.1, tooltip="In latent cells.")]


@node("RescaleCFG", category="advanced/model")
def rescale_cfg(*, model: Model, multiplier: Share = 0.7) -> Model:
    """Keep strong guidance from burning colours, above all with models that tell velocity."""
    return model.with_hooks(formulas.rescaling(multiplier))


@node("PerturbedAttentionGuidance", category="model_patches/unet")
def perturbed_attention_guidance(*, model: Model, scale: Away = 3.0) -> Model:
    """Push away from what the model sees with its attention switched off: clearer shapes, half as much time again."""
    layers = middle_layers(model.part.module, "PerturbedAttentionGuidance")
    return model.with_hooks(self_attention.perturbed(scale, layers))


@node("SelfAttentionGuidance", category="_for_testing", display_name="Self-Attention Guidance", is_experimental=True)
def self_attention_guidance(*, model: Model, scale: Degree = 0.5, blur_sigma: Blur = 2.0) -> Model:
    """Push away from what the model sees with the places that it looks at blurred: finer detail there."""
    middle_layers(model.part.module, "SelfAttentionGuidance")
    return model.with_hooks(self_attention.blurred(scale, blur_sigma))


@node("DifferentialDiffusion", category="_for_testing", display_name="Differential Diffusion", is_experimental=True)
def differential_diffusion(*, model: Model, strength: Share | None = 1.0) -> Model:
    """Let the grey of a noise mask say when a place may change: white from the first step on, dark grey at the end."""
    return model.with_hooks(differential.differing(1.0 if strength is None else strength))
