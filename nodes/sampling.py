"""Nodes that take the noise out of a latent, step by step."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from engine import values
from engine.graph.define import Widget, node
from engine.graph.run import Run
from engine.sampling import noise
from engine.sampling.preview import preview
from engine.sampling.sample import sample
from engine.sampling.schedules import Part, sigmas
from engine.sampling.table import SigmaTable
from engine.settings import Settings
from nodes.convert import batch_index_of, conditions, fitted_channels, noise_mask_of, samples_of, with_samples
from nodes.preview import Watcher
from nodes.types import Cfg, Conditioning, Latent, Model, Sampler, Scheduler, Seed, Steps

Denoise = Annotated[float, Widget(min=0.0, max=1.0, step=0.01, tooltip="1 draws from nothing; less keeps more.")]
StepNumber = Annotated[int, Widget(min=0, max=10000)]


@dataclass(frozen=True)
class Guidance:
    """What a picture should show, what it should not, and how strongly that is meant."""

    positive: Conditioning
    negative: Conditioning
    cfg: float


@dataclass(frozen=True)
class Walk:
    """The way from noise to picture: how many steps of which schedule, and which of them are walked.

    `denoise` is the share of the run that is walked, from its end; `part` are the steps of that, None for all.
    """

    sampler: str
    scheduler: str
    steps: int
    seed: int
    denoise: float = 1.0
    part: Part | None = None
    adds_noise: bool = True

    def levels(self, table: SigmaTable) -> Tensor:
        """The noise levels, falling; fewer than two where there is nothing to do. Raises: SamplingError."""
        levels = sigmas(self.scheduler, table, self.steps, self.denoise, self.sampler)
        return levels if self.part is None else self.part.of(levels)


class Drawing:
    """Walks latents down the noise levels. A service: another may take its place, for models that plugins changed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def draw(self, model: values.Model, latent: Latent, guidance: Guidance, walk: Walk, run: Run) -> dict[str, Any]:
        """Walk a latent down the noise levels, telling the run of every step.

        Returns: the latent with new samples, float32; the same latent where there is nothing to do.
        Raises: SamplingError, Cancelled.
        """
        levels = walk.levels(model.prediction.table)
        x = fitted_channels(samples_of(latent, "latent_image"), model.latent_format.channels, "latent_image")
        start = noise.initial(x, walk.seed, batch_index_of(latent, "latent_image"))
        if len(levels) < 2:
            return latent
        with model.ready(run.stop_if_cancelled) as network:
            drawn = sample(
                network,
                model.prediction,
                model.latent_format,
                positive=conditions(guidance.positive, "positive"),
                negative=conditions(guidance.negative, "negative"),
                cfg=guidance.cfg,
                latent=x,
                noise=start if walk.adds_noise else torch.zeros_like(start),
                sampler=walk.sampler,
                sigmas=levels,
                noise_mask=noise_mask_of(latent),
                seed=walk.seed,
                hooks=replace(model.hooks, check=run.stop_if_cancelled),
                on_step=Watcher(run, self.settings, partial(preview, model.latent_format)),
            )
        return with_samples(latent, drawn)


@node("KSampler", category="sampling")
def ksampler(
    *,
    model: Model,
    seed: Seed = 0,
    steps: Steps = 20,
    cfg: Cfg = 8.0,
    sampler_name: Sampler,
    scheduler: Scheduler,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    denoise: Denoise = 1.0,
    drawing: Drawing,
    run: Run,
) -> Latent:
    """Draw: take the noise out of a latent, towards what is wanted (positive), away from what is not (negative)."""
    walk = Walk(sampler_name, scheduler, steps, seed, denoise)
    return drawing.draw(model, latent_image, Guidance(positive, negative, cfg), walk, run)


@node("KSamplerAdvanced", category="sampling", display_name="KSampler (Advanced)")
def ksampler_advanced(
    *,
    model: Model,
    add_noise: Literal["enable", "disable"],
    noise_seed: Seed = 0,
    steps: Steps = 20,
    cfg: Cfg = 8.0,
    sampler_name: Sampler,
    scheduler: Scheduler,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    start_at_step: StepNumber = 0,
    end_at_step: StepNumber = 10000,
    return_with_leftover_noise: Literal["disable", "enable"],
    drawing: Drawing,
    run: Run,
) -> Latent:
    """Draw only some of the steps, so that another sampler can go on."""
    part = Part(start_at_step, end_at_step, keep_noise=return_with_leftover_noise == "enable")
    walk = Walk(sampler_name, scheduler, steps, noise_seed, part=part, adds_noise=add_noise == "enable")
    return drawing.draw(model, latent_image, Guidance(positive, negative, cfg), walk, run)
