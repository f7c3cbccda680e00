"""From noise to latent: everything a KSampler does, without the node.

`sample` is the one door. Behind it: scale the latent, noise it, fit the conditions, put the network under guidance,
walk the sampler, scale back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from engine.conditioning import Condition
from engine.devices import finite
from engine.devices.streaming import first_weight, lighten, source_of
from engine.errors import SamplingError
from engine.models.latent_format import LatentFormat
from engine.sampling import noise as noises
from engine.sampling.batches import Chunks, row_limit
from engine.sampling.denoiser import Denoiser, Step, run
from engine.sampling.fitting import fit_sides, fitted_mask
from engine.sampling.guidance import Guide, Hooks, Network
from engine.sampling.hooks import Level, Rule
from engine.sampling.inpainting import COLOURS, FurtherChannels, Redraw
from engine.sampling.inputs import check_numbers
from engine.sampling.prediction import Prediction
from engine.sampling.samplers import SAMPLERS, sampler
from engine.sampling.vectors import Vectors
from engine.shapes import repeated_to_batch

__all__ = ["SAMPLERS", "Hooks", "OnStep", "SamplingJob", "sample"]

# Called with the number of the step, how many there are, and the clean latent as far as it is known [B, C, h, w].
OnStep = Callable[[int, int, Tensor], None]

# Floats alive at once in a UNet, per latent cell and model channel. Measured 2026-11-21 on Stable Diffusion 1's shape
# at 64×64 cells (CPU, 64 and 128 model channels, 2 to 8 rows): 31.1 to 31.9.
ACTIVATIONS = 32
# Model channels of a network that does not say; those of every Stable Diffusion but the refiner and the upscaler.
USUAL_WIDTH = 320


@dataclass(frozen=True, eq=False)
class SamplingJob:
    """What to draw.

    `others` are the conditions of further sides, by name, and `rule` what they are for. `options` are the sampler's own
    (eta, s_noise …).

    Shapes: latent and noise [B, C, h, w], the latent as the autoencoder made it; sigmas [S + 1]; noise_mask
    [M, 1, H, W] of any size, 1 = redraw.
    """

    positive: Sequence[Condition]
    negative: Sequence[Condition]
    cfg: float
    latent: Tensor
    noise: Tensor
    sampler: str
    sigmas: Tensor
    seed: int
    noise_mask: Tensor | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    hooks: Hooks = field(default_factory=Hooks)
    others: Mapping[str, Sequence[Condition]] = field(default_factory=dict)
    rule: Rule | None = None

    @property
    def sides(self) -> Mapping[str, Sequence[Condition]]:
        """The conditions of all sides, by name, in the order of their places."""
        return {"positive": self.positive, "negative": self.negative, **self.others}


def sample(
    network: Network,
    prediction: Prediction,
    latent_format: LatentFormat,
    *,
    on_step: OnStep | None = None,
    **job: Any,
) -> Tensor:
    """Draws a latent: takes the noise out of it, towards what the conditions ask for.

    `network` is any function (x, timesteps, context, y=None, control=None) → answer. The other keywords are those of
    SamplingJob. What `on_step` raises ends the run.

    Returns: the latent as the autoencoder wants it, [B, C, h, w] float32 on the CPU; the latent it was given when there
    are no noise levels, with noise on it when there is one.
    Raises: SamplingError, for an unknown sampler, shapes that do not fit, or a network that answers with what is no
    number; OutOfMemory.
    """
    return Drawing(network, prediction, latent_format, SamplingJob(**job)).run(on_step)


def noised(
    prediction: Prediction, latent_format: LatentFormat, latent: Tensor, noise: Tensor, sigmas: Tensor
) -> Tensor:
    """A latent with as much noise on it as the first of these levels has more than the last.

    Shapes: latent and noise [B, C, h, w], as the autoencoder made it; sigmas [S], at least one.
    Returns: as the autoencoder would have made it, float32.
    """
    if noise.shape != latent.shape:
        raise SamplingError(
            f"the noise has the shape {list(noise.shape)}, the latent {list(latent.shape)}; they must agree"
        )
    amount = sigmas[0] if len(sigmas) == 1 else (sigmas[0] - sigmas[-1]).abs()
    scaled = _to_model(latent_format, latent.float())
    made = latent_format.to_latent(prediction.noised(scaled, noise.float(), amount.float().cpu()))
    return made.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


class Drawing:
    """One job under way."""

    def __init__(self, network: Network, prediction: Prediction, latent_format: LatentFormat, job: SamplingJob) -> None:
        self.network, self.prediction, self.latent_format, self.job = network, prediction, latent_format, job
        self.sampler = sampler(job.sampler)
        self.device, self.dtype = _place(network)

    def run(self, on_step: OnStep | None = None) -> Tensor:
        """Walks all the way. Returns and raises: as `sample`."""
        job = self.job
        if job.sigmas.shape == (0,):
            return job.latent
        check(job, self.network, self.latent_format)
        with torch.no_grad(), noises.continued(job.noise, job.seed), job.hooks.running():
            # Levels stay on the CPU: samplers ask them questions all the time, and a GPU would have to stop to answer.
            sigmas = job.sigmas.float().cpu()
            noise = job.noise.float().to(self.device)
            latent = _to_model(self.latent_format, job.latent.float().to(self.device))
            start = self.prediction.start(latent, noise, sigmas[0])
            end = start if len(sigmas) == 1 else self._walked(latent, noise, start, sigmas, on_step)
            _check_answer(self.network, end, "in the last step")
            result = self.latent_format.to_latent(self.prediction.end(end, sigmas[-1]))
        return result.float().cpu()

    def _walked(self, latent: Tensor, noise: Tensor, start: Tensor, sigmas: Tensor, on_step: OnStep | None) -> Tensor:
        job = self.job
        denoiser = Denoiser(self._denoiser(latent, noise), self.prediction.path)
        table = self.prediction.table
        walk = self.sampler.walk(denoiser, start, sigmas, seed=job.seed, table=table, options=job.options)
        return run(walk, _counted(self.network, on_step, len(sigmas) - 1))

    def _denoiser(self, latent: Tensor, noise: Tensor) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        mask = self._mask(latent)
        guide = self._guide(latent, mask)
        needs_negative = self.sampler.needs_unconditional

        def both(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
            return guide.both(x, sigma, needs_negative)

        if mask is None:
            return both
        if self.sampler.fresh_kept_region:
            noise = noises.initial(self.job.noise.float(), self.job.seed + 1).to(self.device)
        return Redraw(both, self.prediction, mask, latent, noise, self._mask_at())

    def _mask_at(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        redraw_mask = self.job.hooks.redraw_mask
        if redraw_mask is None:
            return None
        sigmas, table = self.job.sigmas.float().cpu(), self.prediction.table
        return lambda sigma, mask: redraw_mask(Level(sigma, sigmas, table), mask)

    def _mask(self, latent: Tensor) -> Tensor | None:
        if self.job.noise_mask is None:
            return None
        height, width = latent.shape[-2:]
        return repeated_to_batch(fitted_mask(self.job.noise_mask.to(self.device), (height, width)), len(latent))

    def _guide(self, latent: Tensor, mask: Tensor | None) -> Guide:
        job = self.job
        height, width = latent.shape[-2:]
        channels = _input_channels(self.network)
        further = 0 if channels is None else channels - latent.shape[1]
        config = getattr(self.network, "config", None)
        width_of_net = getattr(config, "model_channels", USUAL_WIDTH)
        shows_scaled = bool(getattr(config, "scaled_picture", False))
        row = height * width * width_of_net * ACTIVATIONS * self.dtype.itemsize
        return Guide(
            self.network,
            self.prediction,
            fit_sides([*job.sides.values()], (height, width), self.prediction.table),
            job.cfg,
            rule=job.rule,
            concat=FurtherChannels(further, self.latent_format, latent, mask, shows_scaled, job.seed),
            vectors=Vectors.of(self.network, job.seed),
            chunks=Chunks(row_limit(row, self.device), partial(lighten, self.network)),
            hooks=job.hooks,
            dtype=self.dtype,
        )


def _to_model(latent_format: LatentFormat, latent: Tensor) -> Tensor:
    # ComfyUI: an empty latent is no picture, and stays zero even where the family shifts pictures.
    return latent_format.to_model(latent) if latent.count_nonzero() > 0 else latent


def check(job: SamplingJob, network: Network, latent_format: LatentFormat) -> None:
    """Raises SamplingError where the parts of a job do not fit each other or the model."""
    latent, noise = job.latent, job.noise
    if latent.ndim != 4 or 0 in latent.shape:
        raise SamplingError(f"expected a latent [batch, channels, height, width], got the shape {list(latent.shape)}")
    if noise.shape != latent.shape:
        raise SamplingError(
            f"the noise has the shape {list(noise.shape)}, the latent {list(latent.shape)}; they must agree"
        )
    if latent.shape[1] != latent_format.channels:
        raise SamplingError(
            f"the latent has {latent.shape[1]} channels, this model works on {latent_format.channels}; "
            "it was made for another model family"
        )
    check_numbers([("latent", latent), ("noise", noise), ("noise mask", job.noise_mask)], job.sides)
    _check_levels(job)
    for name in ("positive", *job.others):
        if not job.sides[name]:
            raise SamplingError(f"{name}: expected at least one conditioning, got none")
    _check_further_channels(network, latent.shape[1])
    _check_texts(job, network)


def _check_levels(job: SamplingJob) -> None:
    sigmas = job.sigmas
    if sigmas.ndim != 1 or not bool(torch.isfinite(sigmas).all()) or bool((sigmas < 0).any()):
        raise SamplingError("noise levels are a list of finite numbers, 0 or more; these are not")
    rises = (sigmas.diff() > 0).nonzero()
    if len(rises) and sampler(job.sampler).only_falls and job.options.get("eta", 1.0) > 0:
        place = int(rises[0])
        raise SamplingError(
            f"the noise levels rise, from {float(sigmas[place]):.4g} to {float(sigmas[place + 1]):.4g} in step "
            f"{place + 1}; {job.sampler} adds noise on its way down and cannot walk up: take euler, or an eta of 0"
        )


def _check_further_channels(network: Network, channels: int) -> None:
    wanted = _input_channels(network)
    if wanted is not None and wanted - channels not in (0, 1, COLOURS, channels, channels + 1):
        raise SamplingError(
            f"this network takes {wanted} channels; expected {channels}, {channels + 1} (depth), {channels + COLOURS} "
            f"(upscaling), {2 * channels} (editing) or {2 * channels + 1} (inpainting) for latents of {channels}"
        )


def _check_texts(job: SamplingJob, network: Network) -> None:
    width = getattr(getattr(network, "config", None), "context_width", None)
    for name, side in job.sides.items():
        for condition in side:
            tokens = condition.tokens
            if tokens.ndim != 3 or 0 in tokens.shape:
                raise SamplingError(f"{name}: expected text [1, tokens, features], got the shape {list(tokens.shape)}")
            if width is not None and tokens.shape[2] != width:
                raise SamplingError(
                    f"{name}: the text has {tokens.shape[2]} features, this model reads {width}; "
                    "encode it with the text encoder of the same model family"
                )


def _counted(network: Network, on_step: OnStep | None, steps: int) -> Callable[[Step], None]:
    def tell(step: Step) -> None:
        # A sampler that chooses its own steps may take more than were planned.
        planned = max(steps, step.index + 1)
        # Asking makes a GPU stop once a step, which is nothing beside a step; drawing on from no numbers is all waste.
        level = f"noise level {float(step.sigma):.4g}"
        _check_answer(network, step.denoised, f"at step {step.index + 1} of {planned} ({level})")
        if on_step is not None:
            on_step(step.index, planned, step.denoised)

    return tell


def _check_answer(network: Network, answer: Tensor, when: str) -> None:
    if bool(torch.isfinite(answer).all()):
        return
    reason = "its weights or a LoRA are damaged, or half precision overflowed; try --force-fp32 or another model file"
    weights = source_of(network)
    if weights is not None and weights.at_rest:
        reason = finite.flaw(weights) or finite.suspicion(_place(network)[1], "--force-fp32")
    raise SamplingError(f"the network answered with {finite.NO_NUMBERS} {when}: {reason}")


def _place(network: Network) -> tuple[torch.device, torch.dtype]:
    """Where a network is and what it computes in; float32 on the CPU for a plain function."""
    found = first_weight(network) if isinstance(network, nn.Module) else None
    first = torch.zeros(()) if found is None else found
    return first.device, first.dtype


def _input_channels(network: Network) -> int | None:
    channels = getattr(getattr(network, "config", None), "in_channels", None)
    return channels if isinstance(channels, int) else None
