"""The noise levels a model was trained at, and how they relate to its timesteps."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.sampling.betas import BetaSchedule


@dataclass(frozen=True, eq=False)
class SigmaTable:
    """Noise levels by training step.

    `sigmas` [N] rises; `logs` are their logarithms, taken before rounding to float32 where they come from float64,
    because pictures from a Brownian path depend on the last bit. Time is the index into the table or, for flow models
    (those with a `shift`), `sigma · multiplier`. `schedule` is what the network was trained with, where that is known.
    """

    sigmas: Tensor
    logs: Tensor
    shift: float | None = None
    multiplier: float = 1000.0
    schedule: BetaSchedule | None = None

    def __post_init__(self) -> None:
        if self.sigmas.ndim != 1 or len(self.sigmas) < 2 or not self._rises():
            raise SamplingError("a sigma table is a rising list of at least two noise levels")

    def _rises(self) -> bool:
        steps = self.sigmas.diff()
        if self.shift is None:
            return bool((steps > 0).all())
        # A strong shift, as for very large pictures, makes neighbours near 1 the same number.
        return bool((steps >= 0).all()) and bool(self.sigmas[-1] > self.sigmas[0])

    @classmethod
    def from_betas(cls, schedule: BetaSchedule | None = None) -> "SigmaTable":
        """The table of a model trained with discrete steps; without a schedule, Stable Diffusion's."""
        schedule = schedule or BetaSchedule()
        alpha_bars = schedule.alpha_bars()
        return replace(cls.from_sigmas(((1.0 - alpha_bars) / alpha_bars).sqrt()), schedule=schedule)

    @classmethod
    def from_sigmas(cls, sigmas: Tensor) -> "SigmaTable":
        """A table of given noise levels, whose time is the place in it.

        Shapes: sigmas [N], rising.
        """
        return cls(sigmas.float(), sigmas.log().float())

    @classmethod
    def from_flow(cls, shift: float = 1.0, multiplier: float = 1000.0, steps: int = 1000) -> "SigmaTable":
        """The table of a rectified-flow model, its time shifted towards noise.

        Source: Esser et al. 2024, arXiv 2403.03206, section 5.3.2.
        """
        times = torch.arange(1, steps + 1, dtype=torch.float64) / steps
        sigmas = _shifted(times, shift)
        return cls(sigmas.float(), sigmas.log().float(), shift, multiplier)

    @property
    def flow(self) -> bool:
        """Whether noise and picture are mixed on a straight line (rectified flow)."""
        return self.shift is not None

    @property
    def sigma_min(self) -> float:
        """The lowest noise level above none."""
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        """The highest noise level."""
        return float(self.sigmas[-1])

    def __len__(self) -> int:
        return len(self.sigmas)

    def timestep(self, sigma: Tensor) -> Tensor:
        """The time at which the network is asked about a noise level.

        Shapes: sigma any shape, and so is what comes back (float32).
        """
        if self.flow:
            return sigma * self.multiplier
        logs = self.logs.to(sigma.device)
        distances = (sigma.float().reshape(-1, 1).log() - logs).abs()
        return distances.argmin(dim=1).reshape(sigma.shape).float()

    def sigma(self, timestep: Tensor) -> Tensor:
        """The noise level at a time, between two entries of the table on a straight line in log σ."""
        if self.shift is not None:
            # ComfyUI: the shift is applied here although `timestep` did not take it off; `normal` relies on it.
            return _shifted(timestep / self.multiplier, self.shift)
        logs = self.logs.to(timestep.device)
        place = timestep.float().clamp(0, len(logs) - 1)
        low, high = place.floor().long(), place.ceil().long()
        fraction = place.frac()
        return ((1 - fraction) * logs[low] + fraction * logs[high]).exp()

    def at_percent(self, percent: float) -> float:
        """The noise level when that share of sampling is done.

        Units: percent 0 … 1. Returns: more than any noise level at 0, and 0 at 1.
        """
        if percent <= 0.0:
            return 1.0 if self.flow else math.inf
        if percent >= 1.0:
            return 0.0
        if self.shift is not None:
            return float(_shifted(torch.tensor(1.0 - percent), self.shift))
        return float(self.sigma(torch.tensor((1.0 - percent) * (len(self) - 1))))


def _shifted(times: Tensor, shift: float) -> Tensor:
    return shift * times / (1.0 + (shift - 1.0) * times)
