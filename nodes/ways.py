"""What custom sampling takes apart and sends over wires: who guides, with what noise, which sampler, which levels.

The values of NOISE, SAMPLER and GUIDER, and what the service that draws is handed (nodes.sampling.Drawing).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from engine import values
from engine.errors import SamplingError
from engine.sampling import noise
from engine.sampling.hooks import Rule
from engine.sampling.schedules import Part, sigmas
from engine.sampling.table import SigmaTable
from nodes.convert import batch_index_of, samples_of

Conditioning = list[list[Any]]


class NoiseSource(Protocol):
    """Where a drawing's noise comes from: ours, or a plugin's own."""

    @property
    def seed(self) -> int:
        """What samplers that add noise on their way begin with."""

    def of(self, latent: Mapping[str, Any]) -> Tensor:
        """The noise for a latent, of its samples' shape, on the CPU."""


@dataclass(frozen=True)
class Noise:
    """Noise by a seed; or none at all (`is_silent`)."""

    seed: int = 0
    is_silent: bool = False

    def of(self, latent: Mapping[str, Any]) -> Tensor:
        """The noise for a latent, each of a batch by its place. Raises: SamplingError."""
        x = samples_of(latent, "latent_image")
        if self.is_silent:
            return torch.zeros(x.shape, dtype=x.dtype)
        return noise.initial(x, self.seed, batch_index_of(latent, "latent_image"))


@dataclass(frozen=True)
class Sampler:
    """One of the engine's samplers with options of its own (eta, s_noise …)."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Guidance:
    """What a picture should show, what it should not, and how strongly that is meant.

    `others` are further sides by name, for a `rule` that knows what to do with them.
    """

    positive: Conditioning
    negative: Conditioning
    cfg: float
    others: Mapping[str, Conditioning] = field(default_factory=dict)
    rule: Rule | None = None

    @property
    def sides(self) -> Mapping[str, Conditioning]:
        """The conditionings of all sides, by name, in the order of their places."""
        return {"positive": self.positive, "negative": self.negative, **self.others}


@dataclass(frozen=True, eq=False)
class Guider:
    """A model under guidance."""

    model: values.Model
    guidance: Guidance


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


@dataclass(frozen=True, eq=False)
class Course:
    """The way from noise to picture, every part of it chosen by a node of its own.

    Shapes: sigmas [S + 1]; empty where there is nothing to do.
    """

    noise: NoiseSource
    sampler: Sampler
    sigmas: Tensor


class Drawn(NamedTuple):
    """A latent that was drawn, and what it would be without the noise that is left (the same where no step was)."""

    output: dict[str, Any]
    denoised_output: dict[str, Any]


def need_sampler(value: object) -> None:
    """Raises: SamplingError, for what is no sampler of the engine's."""
    if not isinstance(value, Sampler):
        raise SamplingError(f"sampler: expected one from KSamplerSelect or a Sampler node, got {type(value).__name__}.")


def need_guider(value: object) -> None:
    """Raises: SamplingError, for what is no guider of ours."""
    if not isinstance(value, Guider):
        raise SamplingError(f"guider: expected one from BasicGuider, CFGGuider …, got {type(value).__name__}.")


def need_noise(value: object) -> None:
    """Raises: SamplingError, for what makes no noise."""
    if not callable(getattr(value, "of", None)):
        raise SamplingError(f"noise: expected one from RandomNoise or DisableNoise, got {type(value).__name__}.")
