"""Noise levels of models that were trained at any level of a range, or at some of a schedule's only.

Each is a SigmaTable with a time of its own; schedules and samplers need know nothing of that.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.sampling.table import SigmaTable

LEVELS = 1000  # How many levels stand for a range in schedules that walk a table. Source: node_behaviour 7.2.
DISTILLED_LEVELS = 50  # How many a latent consistency model was distilled to. Source: Luo et al. 2023, section 5.


@dataclass(frozen=True, eq=False)
class ContinuousTable(SigmaTable):
    """A range of noise levels; time is a quarter of ln σ. `ends` are its lowest and highest, before rounding.

    Source: Karras et al. 2022, arXiv 2206.00364, table 1.
    """

    ends: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def between(cls, sigma_min: float, sigma_max: float) -> "ContinuousTable":
        """The range between two levels, evenly in ln σ. Raises: SamplingError, where it is none."""
        if not 0.0 < sigma_min < sigma_max:
            raise SamplingError(
                f"a range of noise levels needs 0 < sigma_min < sigma_max, but sigma_min is {sigma_min:g} and "
                f"sigma_max {sigma_max:g}"
            )
        sigmas = torch.linspace(math.log(sigma_min), math.log(sigma_max), LEVELS).exp()
        if not bool((sigmas.diff() > 0).all()):
            raise SamplingError(
                f"sigma_min {sigma_min:g} and sigma_max {sigma_max:g} are too close for {LEVELS} levels between them"
            )
        return cls(sigmas, sigmas.log(), ends=(sigma_min, sigma_max))

    def timestep(self, sigma: Tensor) -> Tensor:
        return 0.25 * sigma.log()

    def sigma(self, timestep: Tensor) -> Tensor:
        return (timestep / 0.25).exp()

    def at_percent(self, percent: float) -> float:
        if percent <= 0.0:
            return math.inf
        if percent >= 1.0:
            return 0.0
        low, high = math.log(self.sigma_min), math.log(self.sigma_max)
        return math.exp((high - low) * (1.0 - percent) + low)


@dataclass(frozen=True, eq=False)
class AngleTable(ContinuousTable):
    """A range of noise levels; time is the angle between picture and noise, 0 … 1.

    Source: Salimans and Ho 2022, arXiv 2202.00512, appendix D.
    """

    def timestep(self, sigma: Tensor) -> Tensor:
        return sigma.atan() / math.pi * 2

    def sigma(self, timestep: Tensor) -> Tensor:
        return (timestep * math.pi / 2).tan()


@dataclass(frozen=True, eq=False)
class ShareTable(ContinuousTable):
    """A range of noise levels for a network of a straight path; time is the share of noise in the mixture."""

    def timestep(self, sigma: Tensor) -> Tensor:
        return sigma / (sigma + 1)

    def sigma(self, timestep: Tensor) -> Tensor:
        highest = torch.tensor(self.sigma_max)
        return torch.where(timestep < highest / (highest + 1), timestep / (1 - timestep), highest)


@dataclass(frozen=True, eq=False)
class DistilledTable(SigmaTable):
    """Every so-manieth level of a schedule, each at the step of training it had there."""

    stride: int = 1

    @classmethod
    def of(cls, table: SigmaTable) -> "DistilledTable":
        """The levels that a latent consistency model knows of a schedule, counted from its top.

        Raises: SamplingError, where the table has fewer.
        """
        if len(table) < DISTILLED_LEVELS:
            raise SamplingError(f"a distilled model knows {DISTILLED_LEVELS} levels, but this table has {len(table)}")
        stride = len(table) // DISTILLED_LEVELS
        sigmas = table.sigmas[(len(table) - 1) % stride :: stride][-DISTILLED_LEVELS:].clone()
        return cls(sigmas, sigmas.log(), schedule=table.schedule, stride=stride)

    def timestep(self, sigma: Tensor) -> Tensor:
        return super().timestep(sigma) * self.stride + (self.stride - 1)

    def sigma(self, timestep: Tensor) -> Tensor:
        return super().sigma((timestep.float() - (self.stride - 1)) / self.stride)

    def at_percent(self, percent: float) -> float:
        if not 0.0 < percent < 1.0:
            return super().at_percent(percent)
        return float(self.sigma(torch.tensor((1.0 - percent) * (len(self) * self.stride - 1))))
