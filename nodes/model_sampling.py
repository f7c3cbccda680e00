"""Nodes that say how a model's answers are to be understood, and at which noise levels it was trained."""

from dataclasses import replace
from typing import Annotated, Literal

from engine.graph.define import Widget, node
from engine.models import latent_format
from engine.sampling import readings
from nodes.types import MAX_SIDE, Model

HighestLevel = Annotated[float, Widget(min=0.0, max=1000.0, step=0.001, round=False, tooltip="Where noise is all.")]
LowestLevel = Annotated[float, Widget(min=0.0, max=1000.0, step=0.001, round=False, tooltip="Above none at all.")]
Shift = Annotated[float, Widget(min=0.0, max=100.0, step=0.01, tooltip="More keeps noise longer; 1 shifts nothing.")]
LogShift = Annotated[float, Widget(min=0.0, max=100.0, step=0.01, tooltip="More keeps noise longer; 0 shifts nothing.")]
DrawnSide = Annotated[int, Widget(min=16, max=MAX_SIDE, step=8, tooltip="In pixels, of the picture to be drawn.")]


@node("ModelSamplingDiscrete", category="advanced/model")
def model_sampling_discrete(
    *, model: Model, sampling: Literal["eps", "v_prediction", "lcm", "x0", "img_to_img"], zsnr: bool = False
) -> Model:
    """Say what a model tells at each step of its training: noise, velocity, the picture; lcm for distilled ones.

    zsnr: the last step is noise alone, as models with zero terminal SNR were trained.
    """
    return model.with_prediction(readings.discrete(model.prediction, sampling, zsnr))


@node("ModelSamplingContinuousEDM", category="advanced/model")
def model_sampling_continuous_edm(
    *,
    model: Model,
    sampling: Literal["v_prediction", "edm", "edm_playground_v2.5", "eps", "cosmos_rflow"],
    sigma_max: HighestLevel = 120.0,
    sigma_min: LowestLevel = 0.002,
) -> Model:
    """Say what a model tells that was trained at any noise level of a range.

    sampling: edm_playground_v2.5 also scales latents as Playground 2.5 has them.
    """
    changed = model.with_prediction(readings.continuous(model.prediction, sampling, sigma_max, sigma_min))
    if sampling == readings.PLAYGROUND:
        changed = replace(changed, latent_format=latent_format.PLAYGROUND)
    return changed


@node("ModelSamplingContinuousV", category="advanced/model")
def model_sampling_continuous_v(
    *,
    model: Model,
    sampling: Literal["v_prediction"],
    sigma_max: HighestLevel = 500.0,
    sigma_min: LowestLevel = 0.03,
) -> Model:
    """Say that a model tells velocity, at any noise level of a range, and its time as an angle."""
    return model.with_prediction(readings.continuous_v(model.prediction, sigma_max, sigma_min))


@node("ModelSamplingStableCascade", category="advanced/model")
def model_sampling_stable_cascade(*, model: Model, shift: Shift = 2.0) -> Model:
    """Say that a model was trained at Stable Cascade's noise levels; its shift grows with the picture."""
    return model.with_prediction(readings.cascade(model.prediction, shift))


@node("ModelSamplingSD3", category="advanced/model")
def model_sampling_sd3(*, model: Model, shift: Shift = 3.0) -> Model:
    """Say that a model goes straight from noise to picture (rectified flow), as Stable Diffusion 3 does."""
    return model.with_prediction(readings.flow(model.prediction, shift))


@node("ModelSamplingAuraFlow", category="advanced/model")
def model_sampling_aura_flow(*, model: Model, shift: Shift = 1.73) -> Model:
    """The same for models whose time is the noise level itself, as AuraFlow's."""
    return model.with_prediction(readings.flow(model.prediction, shift, multiplier=1.0))


@node("ModelSamplingFlux", category="advanced/model")
def model_sampling_flux(
    *,
    model: Model,
    max_shift: LogShift = 1.15,
    base_shift: LogShift = 0.5,
    width: DrawnSide = 1024,
    height: DrawnSide = 1024,
) -> Model:
    """The same with a shift that grows with the picture, as Flux does it.

    max_shift: for a picture of 1024×1024 pixels.
    base_shift: for one of 256×256.
    """
    return model.with_prediction(readings.flux(model.prediction, max_shift, base_shift, width, height))
