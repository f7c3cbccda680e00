"""Nodes that change how a model is guided: what its answers are pushed away from, and where it may draw."""

from typing import Annotated, NamedTuple

from engine.graph.define import Widget, node
from engine.steering import (
    aligned_negative,
    differential,
    epsilon_scaling,
    formulas,
    fresca,
    projected_guidance,
    renormalizing,
    self_attention,
)
from engine.steering.places import middle_layers
from nodes.types import Model

Share = Annotated[float, Widget(min=0.0, max=1.0, step=0.01, tooltip="How much of it; 0 changes nothing.")]
Away = Annotated[float, Widget(min=0.0, max=100.0, step=0.01, round=0.01, tooltip="How strongly; 0 changes nothing.")]
Degree = Annotated[float, Widget(min=-2.0, max=5.0, step=0.01, tooltip="How strongly; 0 changes nothing.")]
Blur = Annotated[float, Widget(min=0.0, max=10.0, step=0.1, tooltip="In latent cells.")]
Along = Annotated[
    float,
    Widget(min=-10.0, max=10.0, step=0.01, tooltip="How much counts of what is there already; 1 is as usual."),
]
StepLength = Annotated[
    float, Widget(min=0.0, max=50.0, step=0.1, tooltip="How far guidance may push; 0 is as far as it wants.")
]
Momentum = Annotated[
    float, Widget(min=-5.0, max=1.0, step=0.01, tooltip="How much counts of the steps before; 0 is nothing.")
]
Factor = Annotated[float, Widget(min=0.0, max=100.0, step=0.01, tooltip="A factor for the result; 1 is as usual.")]
Until = Annotated[
    float,
    Widget(
        min=0.0,
        max=100.0,
        step=0.01,
        tooltip="Guided before this time, from 0 (noise) to 1 (picture); above 1 in the whole run.",
    ),
]
Limit = Annotated[
    float, Widget(min=0.0, max=100.0, step=0.01, tooltip="How many times as long as without guidance; 0 is any.")
]
FrequencyScale = Annotated[float, Widget(min=0, max=10, step=0.01, tooltip="1 changes nothing.")]
Cutoff = Annotated[int, Widget(min=1, max=10000, step=1, tooltip="How many frequencies are coarse, from the lowest.")]
NoiseDivisor = Annotated[
    float,
    Widget(
        min=0.5,
        max=1.5,
        step=0.001,
        display="NumberDisplay.number",
        tooltip="Above 1 less noise is taken away than the model says; 1 changes nothing.",
    ),
]


class Patched(NamedTuple):
    """A model that is guided in another way."""

    patched_model: Model


@node("RescaleCFG", category="advanced/model")
def rescale_cfg(*, model: Model, multiplier: Share = 0.7) -> Model:
    """Keep strong guidance from burning colours, above all with models that tell velocity."""
    return model.with_hooks(formulas.rescaling(multiplier))


@node("APG", category="sampling/custom_sampling", display_name="Adaptive Projected Guidance")
def apg(*, model: Model, eta: Along = 1.0, norm_threshold: StepLength = 5.0, momentum: Momentum = 0.0) -> Model:
    """Keep strong guidance from oversaturating, by holding back what only makes more of what is there already.

    eta: the paper takes 0.
    momentum: the paper takes -0.5.
    """
    return model.with_hooks(projected_guidance.projecting(eta, norm_threshold, momentum))


@node("TCFG", category="advanced/guidance", display_name="Tangential Damping CFG")
def tcfg(*, model: Model) -> Patched:
    """Push away from as much of the negative as goes the way of both sides, and not from its detours."""
    return Patched(model.with_hooks(aligned_negative.tangential()))


@node("CFGZeroStar", category="advanced/guidance")
def cfg_zero_star(*, model: Model) -> Patched:
    """Make the negative as strong as fits the positive best before pushing away from it, above all in flow models."""
    return Patched(model.with_hooks(aligned_negative.optimally_scaled()))


@node("CFGNorm", category="advanced/guidance", is_experimental=True)
def cfg_norm(*, model: Model, strength: Factor = 1.0) -> Patched:
    """Keep guidance from making any place stronger than it is without."""
    return Patched(model.with_hooks(renormalizing.by_cells(strength)))


@node("RenormCFG", category="advanced/model")
def renorm_cfg(*, model: Model, cfg_trunc: Until = 100, renorm_cfg: Limit = 1.0) -> Model:
    """Guide only at the beginning, and no further than a limit, as Lumina-Image 2.0 does."""
    return model.with_hooks(renormalizing.truncated(renorm_cfg, cfg_trunc, model.prediction.table))


@node("FreSca", category="_for_testing", is_experimental=True)
def fre_sca(
    *, model: Model, scale_low: FrequencyScale = 1.0, scale_high: FrequencyScale = 1.25, freq_cutoff: Cutoff = 20
) -> Model:
    """Let guidance push more, or less, in fine detail than in coarse shapes."""
    return model.with_hooks(fresca.scaling(scale_low, scale_high, freq_cutoff))


@node("Epsilon Scaling", category="model_patches/unet")
def epsilon_scaled(*, model: Model, scaling_factor: NoiseDivisor = 1.005) -> Model:
    """Take a little less noise away than the model says, because in training it never saw its own mistakes."""
    return model.with_hooks(epsilon_scaling.dividing(scaling_factor))


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
