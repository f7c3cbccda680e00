"""How much noise each training step adds: the β schedules diffusion models are trained with."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from engine.errors import SamplingError


@dataclass(frozen=True)
class BetaSchedule:
    """A rule for β over a number of training steps. The defaults are Stable Diffusion's.

    `start` and `end` are β at the first and the last step; cosine knows neither and goes from nothing to everything.
    """

    kind: str = "scaled_linear"
    start: float = 0.00085
    end: float = 0.012
    steps: int = 1000
    zero_terminal_snr: bool = False

    def betas(self) -> Tensor:
        """The noise variance each step adds.

        Returns: [steps], float64, each between 0 and 1.
        Raises: SamplingError, for an unknown kind or numbers that are no noise schedule.
        """
        if self.kind not in KINDS:
            raise SamplingError(f"noise schedule {self.kind!r} is unknown; choose one of {', '.join(KINDS)}")
        if self.steps < 2 or not 0.0 < self.start <= self.end < 1.0:
            raise SamplingError(
                f"a noise schedule needs at least 2 steps and 0 < start <= end < 1, "
                f"but has {self.steps} steps from {self.start} to {self.end}"
            )
        return KINDS[self.kind](self)

    def alpha_bars(self) -> Tensor:
        """What is left of the picture's variance after each step: ᾱ.

        Returns: [steps], float64, falling.
        """
        alpha_bars = torch.cumprod(1.0 - self.betas(), dim=0)
        return without_terminal_signal(alpha_bars) if self.zero_terminal_snr else alpha_bars


def linear(schedule: BetaSchedule) -> Tensor:
    """β rises linearly. Source: Ho et al. 2020, arXiv 2006.11239, section 4."""
    return torch.linspace(schedule.start, schedule.end, schedule.steps, dtype=torch.float64)


def scaled_linear(schedule: BetaSchedule) -> Tensor:
    """√β rises linearly. Source: Rombach et al. 2022, arXiv 2112.10752 (its code calls this "linear")."""
    roots = torch.linspace(math.sqrt(schedule.start), math.sqrt(schedule.end), schedule.steps, dtype=torch.float64)
    return roots**2


def quadratic(schedule: BetaSchedule) -> Tensor:
    """β rises with the square of the step, so that the first half adds little."""
    ramp = torch.linspace(0.0, 1.0, schedule.steps, dtype=torch.float64)
    return schedule.start + (schedule.end - schedule.start) * ramp**2


def sigmoid(schedule: BetaSchedule) -> Tensor:
    """β rises slowly, then fast, then slowly. Source: Xu et al. 2022, arXiv 2203.02923 (GeoDiff)."""
    ramp = torch.linspace(-6.0, 6.0, schedule.steps, dtype=torch.float64)
    return schedule.start + (schedule.end - schedule.start) * torch.sigmoid(ramp)


def cosine(schedule: BetaSchedule) -> Tensor:
    """ᾱ falls as a squared cosine. Source: Nichol and Dhariwal 2021, arXiv 2102.09672, eq. 17 (β at most 0.999)."""
    times = torch.linspace(0.0, 1.0, schedule.steps + 1, dtype=torch.float64)
    alpha_bars = torch.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1.0 - alpha_bars[1:] / alpha_bars[:-1]).clamp(max=0.999)


def without_terminal_signal(alpha_bars: Tensor) -> Tensor:
    """The same schedule, ending in pure noise.

    Shapes: alpha_bars [steps].
    Source: Lin et al. 2023, arXiv 2305.08891, algorithm 1.
    """
    roots = alpha_bars.sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    shifted = ((roots - last) * first / (first - last)) ** 2
    # ComfyUI: exactly 0 would make the last σ infinite; this gives the σ of about 4,519 that models were used with.
    shifted[-1] = 4.8973451890853435e-08
    return shifted


KINDS: Mapping[str, Callable[[BetaSchedule], Tensor]] = MappingProxyType(
    {
        "linear": linear,
        "scaled_linear": scaled_linear,
        "cosine": cosine,
        "sigmoid": sigmoid,
        "quadratic": quadratic,
    }
)

PRESETS: Mapping[str, BetaSchedule] = MappingProxyType(
    {
        "stable_diffusion": BetaSchedule(),
        "stable_diffusion_zsnr": BetaSchedule(zero_terminal_snr=True),
        # Ho et al. 2020, section 4.
        "ddpm": BetaSchedule("linear", 1e-4, 0.02, 1000),
        # Nichol and Dhariwal 2021.
        "improved_ddpm": BetaSchedule("cosine"),
        # The x4 upscaler of Stable Diffusion 2.
        "upscaler": BetaSchedule("scaled_linear", 1e-4, 0.02, 1000),
        # Xu et al. 2022.
        "geodiff": BetaSchedule("sigmoid", 1e-7, 2e-3, 5000),
    }
)
