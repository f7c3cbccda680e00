"""The noise levels of Stable Cascade: a cosine schedule over a time of 0 … 1, shifted for larger pictures.

Source: Pernias et al. 2023, arXiv 2306.00637, and its code; Nichol and Dhariwal 2021, arXiv 2102.09672, eq. 17; shifted
as in Hoogeboom et al. 2023, arXiv 2301.11093, section 3.1.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.sampling.table import SigmaTable

OFFSET = 0.008  # What keeps the first steps from having no noise at all. Source: Nichol and Dhariwal.
LEAST, MOST = 0.0001, 0.9999  # How much of the picture's variance is left at the ends. Source: Stable Cascade's code.
LEVELS = 10000  # How many levels stand for the range in schedules that walk a table. Source: node_behaviour 7.2.


@dataclass(frozen=True, eq=False)
class CosineTable(SigmaTable):
    """Levels whose share of the picture's variance falls as a squared cosine; time is 0 … 1.

    `stretch` multiplies every level: 2 is for pictures twice as large on each side.
    """

    stretch: float = 1.0

    @classmethod
    def stretched(cls, stretch: float = 1.0) -> "CosineTable":
        """The table of a stretch. Raises: SamplingError, where it leaves nothing between picture and noise."""
        if not (math.isfinite(stretch) and stretch > 0.0):
            raise SamplingError(
                f"a shift of {stretch:g} leaves no rising noise levels between picture and noise; 1 shifts nothing, "
                "and Stable Cascade is drawn with 2"
            )
        sigmas = _sigma(torch.arange(1, LEVELS + 1) / LEVELS) * stretch
        return cls(sigmas, sigmas.log(), stretch=stretch)

    def _rises(self) -> bool:
        # At both ends several times have the same level.
        return bool((self.sigmas.diff() >= 0).all()) and self.sigma_max > self.sigma_min

    def timestep(self, sigma: Tensor) -> Tensor:
        left = 1 / ((sigma / self.stretch) ** 2 + 1)
        angle = (left * _at_zero()).sqrt().clamp(0, 1).acos()
        return angle / (math.pi * 0.5) * (1 + OFFSET) - OFFSET

    def sigma(self, timestep: Tensor) -> Tensor:
        return _sigma(timestep) * self.stretch

    def at_percent(self, percent: float) -> float:
        if percent <= 0.0:
            return math.inf
        return 0.0 if percent >= 1.0 else float(self.sigma(torch.tensor(1.0 - percent)))


def _sigma(time: Tensor) -> Tensor:
    angle = (time + OFFSET) / (1 + OFFSET) * (math.pi * 0.5)
    left = (angle.cos() ** 2 / _at_zero()).clamp(LEAST, MOST)
    return ((1 - left) / left).sqrt()


def _at_zero() -> float:
    return math.cos(OFFSET / (1 + OFFSET) * math.pi * 0.5) ** 2
