"""Nodes that calculate with latents: sums, mixtures, strips."""

from typing import Annotated

from torch import Tensor

from engine.graph.define import Choices, Widget, node
from engine.pictures import latents
from nodes.convert import naming, samples_of, with_samples
from nodes.types import MAX_SIDE, Latent

BlendShare = Annotated[float, Widget(min=0, max=1, step=0.01, tooltip="How much of samples1.")]
Ratio = Annotated[float, Widget(min=0.0, max=1.0, step=0.01, tooltip="How much of samples1.")]
Multiplier = Annotated[float, Widget(min=-10.0, max=10.0, step=0.01)]
CutAxis = Annotated[str, Choices(tuple(latents.AXES), tooltip="x is across, y down, t along the frames.")]
JoinAxis = Annotated[str, Choices(("x", "-x", "y", "-y", "t", "-t"), tooltip="With a minus samples2 comes first.")]
CutIndex = Annotated[int, Widget(min=-MAX_SIDE, max=MAX_SIDE, step=1, tooltip="In latent cells; below 0 from the end.")]
CutAmount = Annotated[int, Widget(min=1, max=MAX_SIDE, step=1, tooltip="In latent cells.")]


@node("LatentAdd", category="latent/advanced")
def latent_add(*, samples1: Latent, samples2: Latent) -> Latent:
    """Add latents."""
    first, second = _both(samples1, samples2)
    return with_samples(samples1, first + second)


@node("LatentSubtract", category="latent/advanced")
def latent_subtract(*, samples1: Latent, samples2: Latent) -> Latent:
    """Take latents away from others."""
    first, second = _both(samples1, samples2)
    return with_samples(samples1, first - second)


@node("LatentMultiply", category="latent/advanced")
def latent_multiply(*, samples: Latent, multiplier: Multiplier = 1.0) -> Latent:
    """Make latents stronger or weaker."""
    return with_samples(samples, samples_of(samples, "samples") * multiplier)


@node("LatentInterpolate", category="latent/advanced")
def latent_interpolate(*, samples1: Latent, samples2: Latent, ratio: Ratio = 1.0) -> Latent:
    """Turn latents towards others, and make them as strong as both."""
    first, second = _both(samples1, samples2)
    return with_samples(samples1, latents.interpolated(first, second, ratio))


@node("LatentBlend", category="_for_testing")
def latent_blend(*, samples1: Latent, samples2: Latent, blend_factor: BlendShare = 0.5) -> Latent:
    """Mix latents."""
    first, second = samples_of(samples1, "samples1"), samples_of(samples2, "samples2")
    with naming("samples2"):
        return with_samples(samples1, latents.blended(first, second, blend_factor))


@node("LatentCut", category="latent/advanced")
def latent_cut(*, samples: Latent, dim: CutAxis, index: CutIndex = 0, amount: CutAmount = 1) -> Latent:
    """Cut a strip out of latents, or some frames."""
    with naming("dim"):
        return with_samples(samples, latents.cut(samples_of(samples, "samples"), dim, index, amount).clone())


@node("LatentConcat", category="latent/advanced")
def latent_concat(*, samples1: Latent, samples2: Latent, dim: JoinAxis) -> Latent:
    """Set latents beside, below or after each other."""
    first, second = samples_of(samples1, "samples1"), samples_of(samples2, "samples2")
    with naming("dim"):
        return with_samples(samples1, latents.put_together(first, second, dim))


def _both(samples1: Latent, samples2: Latent) -> tuple[Tensor, Tensor]:
    """Both, the second at the size and batch of the first."""
    first, second = samples_of(samples1, "samples1"), samples_of(samples2, "samples2")
    with naming("samples2"):
        return first, latents.like_first(second, first)
