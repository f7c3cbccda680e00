"""Nodes that make and change lists of noise levels."""

from typing import Annotated, NamedTuple

from engine.graph.define import Choices, Widget, node
from engine.sampling import levels, schedules
from engine.sampling.levels import ALIGNED, SPACINGS, Ends
from nodes.convert import naming, sigmas_of
from nodes.sampling import Drawing
from nodes.types import Denoise, Model, Scheduler, Sigmas, Steps

HIGHEST, LOWEST = 14.614642, 0.0291675  # Stable Diffusion's.
# What percent 0 is where a number has to be said: above every level there is (ComfyUI).
ABOVE_ALL = 999999999.9

SigmaMax = Annotated[float, Widget(min=0.0, max=5000.0, step=0.01, round=False, tooltip="The first noise level.")]
SigmaMin = Annotated[float, Widget(min=0.0, max=5000.0, step=0.01, round=False, tooltip="The last one above 0.")]
Rho = Annotated[float, Widget(min=0.0, max=100.0, step=0.01, round=False, tooltip="More puts more steps at the end.")]
Share = Annotated[float, Widget(min=0.0, max=50.0, step=0.01, round=False)]
TurboSteps = Annotated[int, Widget(min=1, max=10, tooltip="How many of its ten levels are used.")]
TurboDenoise = Annotated[float, Widget(min=0, max=1.0, step=0.01, tooltip="1 draws from nothing; less keeps more.")]
Beta = Annotated[float, Widget(min=0.0, max=5000.0, step=0.01, round=False)]
Mu = Annotated[float, Widget(min=-10.0, max=10.0, step=0.1, round=False)]
Width = Annotated[float, Widget(min=0.0, max=10.0, step=0.1, round=False)]
LastTime = Annotated[float, Widget(min=0.0, max=1.0, step=0.0001, round=False)]
StepNumber = Annotated[int, Widget(min=0, max=10000)]
Pieces = Annotated[int, Widget(min=1, max=100, tooltip="Into how many a step is cut.")]
FirstSigma = Annotated[float, Widget(min=0.0, max=20000.0, step=0.001, round=False)]
StartSigma = Annotated[float, Widget(min=-1.0, max=20000.0, step=0.01, round=False)]
EndSigma = Annotated[float, Widget(min=0.0, max=20000.0, step=0.01, round=False)]
ShareDone = Annotated[float, Widget(min=0.0, max=1.0, step=0.0001, tooltip="0 is the first step, 1 the last.")]


class Parts(NamedTuple):
    """A list of levels in two."""

    high_sigmas: Sigmas
    low_sigmas: Sigmas


class Level(NamedTuple):
    """One noise level."""

    sigma_value: float


@node("BasicScheduler", category="sampling/custom_sampling/schedulers")
def basic_scheduler(
    *, model: Model, scheduler: Scheduler, steps: Steps = 20, denoise: Denoise = 1.0, drawing: Drawing
) -> Sigmas:
    """Make the noise levels that KSampler would use; with a denoise below 1, the last of a longer run."""
    return drawing.levels(model, scheduler, steps, denoise)


@node("KarrasScheduler", category="sampling/custom_sampling/schedulers")
def karras_scheduler(
    *, steps: Steps = 20, sigma_max: SigmaMax = HIGHEST, sigma_min: SigmaMin = LOWEST, rho: Rho = 7.0
) -> Sigmas:
    """Make noise levels that fall fast at first and slowly near the picture."""
    return schedules.karras(steps, Ends(sigma_min, sigma_max), rho)


@node("ExponentialScheduler", category="sampling/custom_sampling/schedulers")
def exponential_scheduler(*, steps: Steps = 20, sigma_max: SigmaMax = HIGHEST, sigma_min: SigmaMin = LOWEST) -> Sigmas:
    """Make noise levels that fall by the same factor at every step."""
    return schedules.exponential(steps, Ends(sigma_min, sigma_max))


@node("PolyexponentialScheduler", category="sampling/custom_sampling/schedulers")
def polyexponential_scheduler(
    *, steps: Steps = 20, sigma_max: SigmaMax = HIGHEST, sigma_min: SigmaMin = LOWEST, rho: Rho = 1.0
) -> Sigmas:
    """Make noise levels whose logarithms follow a power."""
    return levels.polyexponential(steps, Ends(sigma_min, sigma_max), rho)


@node("LaplaceScheduler", category="sampling/custom_sampling/schedulers")
def laplace_scheduler(
    *,
    steps: Steps = 20,
    sigma_max: SigmaMax = HIGHEST,
    sigma_min: SigmaMin = LOWEST,
    mu: Mu = 0.0,
    beta: Width = 0.5,
) -> Sigmas:
    """Make noise levels that crowd around one, and do not end in 0.

    mu: the logarithm of the level they crowd around.
    beta: how far they spread.
    """
    return levels.laplace(steps, Ends(sigma_min, sigma_max), mu, beta)


@node("VPScheduler", category="sampling/custom_sampling/schedulers")
def vp_scheduler(*, steps: Steps = 20, beta_d: Beta = 19.9, beta_min: Beta = 0.1, eps_s: LastTime = 0.001) -> Sigmas:
    """Make the noise levels of a variance-preserving diffusion at equal times."""
    return levels.variance_preserving(steps, beta_d, beta_min, eps_s)


@node("BetaSamplingScheduler", category="sampling/custom_sampling/schedulers")
def beta_sampling_scheduler(*, model: Model, steps: Steps = 20, alpha: Share = 0.6, beta: Share = 0.6) -> Sigmas:
    """Make noise levels close together at both ends of the run; less of alpha or beta, closer at that end."""
    return schedules.beta(steps, model.prediction.table, alpha, beta)


@node("SDTurboScheduler", category="sampling/custom_sampling/schedulers")
def sd_turbo_scheduler(*, model: Model, steps: TurboSteps = 1, denoise: TurboDenoise = 1.0) -> Sigmas:
    """Make the noise levels that turbo models were distilled at."""
    return levels.turbo(steps, denoise, model.prediction.table)


@node("AlignYourStepsScheduler", category="sampling/custom_sampling/schedulers")
def align_your_steps_scheduler(
    *, model_type: Annotated[str, Choices(tuple(ALIGNED))], steps: Steps = 10, denoise: Denoise = 1.0
) -> Sigmas:
    """Make noise levels that were searched for, the best for few steps."""
    return levels.aligned(model_type, steps, denoise)


@node("SplitSigmas", category="sampling/custom_sampling/sigmas")
def split_sigmas(*, sigmas: Sigmas, step: StepNumber = 0) -> Parts:
    """Cut noise levels in two at a step, for one sampler after another."""
    return Parts(*levels.split(sigmas_of(sigmas, "sigmas"), step))


@node("SplitSigmasDenoise", category="sampling/custom_sampling/sigmas")
def split_sigmas_denoise(*, sigmas: Sigmas, denoise: Denoise = 1.0) -> Parts:
    """Cut noise levels in two, the second part with this share of the steps."""
    return Parts(*levels.split_at_share(sigmas_of(sigmas, "sigmas"), denoise))


@node("FlipSigmas", category="sampling/custom_sampling/sigmas")
def flip_sigmas(*, sigmas: Sigmas) -> Sigmas:
    """Turn noise levels around, for walking from a picture to its noise."""
    return levels.turned(sigmas_of(sigmas, "sigmas"))


@node("SetFirstSigma", category="sampling/custom_sampling/sigmas")
def set_first_sigma(*, sigmas: Sigmas, sigma: FirstSigma = 136.0) -> Sigmas:
    """Begin with another noise level."""
    with naming("sigmas"):
        return levels.with_first(sigmas_of(sigmas, "sigmas"), sigma)


@node("ExtendIntermediateSigmas", category="sampling/custom_sampling/sigmas")
def extend_intermediate_sigmas(
    *,
    sigmas: Sigmas,
    steps: Pieces = 2,
    start_at_sigma: StartSigma = -1.0,
    end_at_sigma: EndSigma = 12.0,
    spacing: Annotated[str, Choices(tuple(SPACINGS), tooltip="How the pieces of a step are long.")],
) -> Sigmas:
    """Cut the steps that start between two noise levels into several; a start of -1 is above all."""
    return levels.extended(sigmas_of(sigmas, "sigmas"), steps, start_at_sigma, end_at_sigma, spacing)


@node("SamplingPercentToSigma", category="sampling/custom_sampling/sigmas")
def sampling_percent_to_sigma(
    *, model: Model, sampling_percent: ShareDone = 0.0, return_actual_sigma: bool = False
) -> Level:
    """Say the noise level when that share of a run is done.

    return_actual_sigma: at 0 and 1 the model's highest and lowest level, in the place of what is beyond them.
    """
    table = model.prediction.table
    if return_actual_sigma and sampling_percent in (0.0, 1.0):
        return Level(table.sigma_max if sampling_percent == 0.0 else table.sigma_min)
    return Level(min(table.at_percent(sampling_percent), ABOVE_ALL))


@node("ManualSigmas", category="_for_testing/custom_sampling", is_experimental=True)
def manual_sigmas(*, sigmas: str = "1, 0.5") -> Sigmas:
    """Write noise levels by hand, with commas between them."""
    with naming("sigmas"):
        return sigmas_of(levels.written(sigmas), "sigmas")
