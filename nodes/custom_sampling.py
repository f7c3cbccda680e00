"""Nodes that draw with noise, guidance, a sampler and noise levels that other nodes chose."""

from typing import NamedTuple

from engine.graph.define import node
from engine.graph.run import Run
from engine.sampling.sample import noised
from nodes import ways
from nodes.convert import fitted_channels, samples_of, sigmas_of, sound, with_samples
from nodes.sampling import Drawing
from nodes.types import Cfg, Conditioning, Guider, Latent, Model, Noise, Sampler, Seed, Sigmas
from nodes.ways import Course, Guidance, need_noise


class Latents(NamedTuple):
    """A latent that was drawn, and what it would be without the noise that is left."""

    output: Latent
    denoised_output: Latent


@node("RandomNoise", category="sampling/custom_sampling/noise")
def random_noise(*, noise_seed: Seed = 0) -> Noise:
    """Noise by a seed, the same for the same seed."""
    return ways.Noise(noise_seed)


@node("DisableNoise", category="sampling/custom_sampling/noise")
def disable_noise() -> Noise:
    """No noise at all, for latents that have some."""
    return ways.Noise(is_silent=True)


@node("AddNoise", category="_for_testing/custom_sampling/noise")
def add_noise(*, model: Model, noise: Noise, sigmas: Sigmas, latent_image: Latent) -> Latent:
    """Put as much noise on a latent as the levels' first has more than their last."""
    need_noise(noise)
    levels = sigmas_of(sigmas, "sigmas")
    if len(levels) == 0:
        return latent_image
    x = fitted_channels(samples_of(latent_image, "latent_image"), model.latent_format.channels, "latent_image")
    sound(x, "latent_image")
    added = noise.of(with_samples(latent_image, x))
    return with_samples(latent_image, noised(model.prediction, model.latent_format, x, added, levels))


@node("SamplerCustom", category="sampling/custom_sampling")
def sampler_custom(
    *,
    model: Model,
    add_noise: bool = True,
    noise_seed: Seed = 0,
    cfg: Cfg = 8.0,
    positive: Conditioning,
    negative: Conditioning,
    sampler: Sampler,
    sigmas: Sigmas,
    latent_image: Latent,
    drawing: Drawing,
    run: Run,
) -> Latents:
    """Draw with any sampler along any noise levels.

    add_noise: off for latents that have noise already.
    """
    course = Course(ways.Noise(noise_seed, not add_noise), sampler, sigmas_of(sigmas, "sigmas"))
    return Latents(*drawing.draw_custom(model, latent_image, Guidance(positive, negative, cfg), course, run))


@node("SamplerCustomAdvanced", category="sampling/custom_sampling")
def sampler_custom_advanced(
    *, noise: Noise, guider: Guider, sampler: Sampler, sigmas: Sigmas, latent_image: Latent, drawing: Drawing, run: Run
) -> Latents:
    """Draw with any noise, any guider and any sampler along any noise levels."""
    need_noise(noise)
    course = Course(noise, sampler, sigmas_of(sigmas, "sigmas"))
    return Latents(*drawing.draw_guided(guider, latent_image, course, run))
