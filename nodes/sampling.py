"""Nodes that take the noise out of a latent, step by step."""

from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

from torch import Tensor

from engine import values
from engine.adapters.hooks import dresser
from engine.graph.define import Widget, node
from engine.graph.run import Run
from engine.sampling.preview import preview
from engine.sampling.sample import sample
from engine.sampling.schedules import Part, sigmas
from engine.settings import Settings
from nodes.convert import conditions, drawable, noise_mask_of, with_samples
from nodes.preview import Last, Watcher
from nodes.types import Cfg, Conditioning, Denoise, Latent, Model, SamplerName, Scheduler, Seed, Steps
from nodes.unseen import Unseen
from nodes.ways import Course, Drawn, Guidance, Guider, Noise, Sampler, Walk, need_guider, need_sampler

__all__ = ["Course", "Drawing", "Drawn", "Guidance", "Guider", "Noise", "Sampler", "Walk"]

StepNumber = Annotated[int, Widget(min=0, max=10000)]


class Drawing:
    """Walks latents down the noise levels. A service: another may take its place, for models that plugins changed."""

    def __init__(self, settings: Settings, unseen: Unseen | None = None) -> None:
        self.settings = settings
        self.unseen = unseen or Unseen()

    def levels(self, model: values.Model, scheduler: str, steps: int, denoise: float) -> Tensor:
        """The noise levels of a schedule, at most steps + 1 of its last. Raises: SamplingError."""
        return sigmas(scheduler, model.prediction.table, steps, denoise)[-(steps + 1) :]

    def draw(self, model: values.Model, latent: Latent, guidance: Guidance, walk: Walk, run: Run) -> dict[str, Any]:
        """Walk a latent down the noise levels of a schedule, telling the run of every step.

        Returns: the latent with new samples, float32; the same latent where there is nothing to do.
        Raises: SamplingError, Cancelled.
        """
        levels = walk.levels(model.prediction.table)
        if len(levels) < 2:
            drawable(latent, model.latent_format.channels, "latent_image")
            return latent
        course = Course(Noise(walk.seed, not walk.adds_noise), Sampler(walk.sampler), levels)
        return self._drawn(model, latent, guidance, course, walk.seed, run)[0]

    def draw_custom(self, model: values.Model, latent: Latent, guidance: Guidance, course: Course, run: Run) -> Drawn:
        """Walk a latent down levels that another node chose, telling the run of every step.

        Returns: the latent with new samples, float32, and the clean one of the last step.
        Raises: SamplingError, Cancelled.
        """
        need_sampler(course.sampler)
        return Drawn(*self._drawn(model, latent, guidance, course, course.noise.seed, run))

    def draw_guided(self, guider: Guider, latent: Latent, course: Course, run: Run) -> Drawn:
        """The same by a guider. Returns and raises: as `draw_custom`."""
        need_guider(guider)
        return self.draw_custom(guider.model, latent, guider.guidance, course, run)

    def _drawn(
        self, model: values.Model, latent: Latent, guidance: Guidance, course: Course, seed: int, run: Run
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        x = drawable(latent, model.latent_format.channels, "latent_image")
        start = course.noise.of(with_samples(latent, x))
        if len(course.sigmas) == 0:
            return latent, latent
        self.unseen.tell(model, guidance.sides, latent, run)
        watcher = Watcher(run, self.settings, partial(preview, model.latent_format))
        last = Last(watcher)
        sides = {name: conditions(side, name) for name, side in guidance.sides.items()}
        everyone = [condition for side in sides.values() for condition in side]
        check = run.stop_if_cancelled
        dress = dresser(model, everyone, course.sigmas, check)
        with model.ready(check) as network:
            drawn = sample(
                network,
                model.prediction,
                model.latent_format,
                positive=sides.pop("positive"),
                negative=sides.pop("negative"),
                others=sides,
                rule=guidance.rule,
                cfg=guidance.cfg,
                latent=x,
                noise=start,
                sampler=course.sampler.name,
                options=course.sampler.options,
                sigmas=course.sigmas,
                noise_mask=noise_mask_of(latent, "latent_image"),
                seed=seed,
                hooks=replace(model.hooks, check=check, dress=dress),
                on_step=last,
            )
            result = with_samples(latent, drawn)
            if last.denoised is None:
                return result, result
            clean = model.latent_format.to_latent(last.denoised)
        return result, with_samples(latent, clean.float().cpu())


@node("KSampler", category="sampling")
def ksampler(
    *,
    model: Model,
    seed: Seed = 0,
    steps: Steps = 20,
    cfg: Cfg = 8.0,
    sampler_name: SamplerName,
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
    sampler_name: SamplerName,
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
