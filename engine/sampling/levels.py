"""Lists of noise levels made without a model's table, or from other lists: the arithmetic of the sigma nodes.

A list falls and usually ends in 0; an empty one means that there is nothing to do.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy
import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.sampling.table import SigmaTable

# Sabour et al. 2024, arXiv 2404.14507 (Align Your Steps): the authors' ten steps for each model.
ALIGNED: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "SD1": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
        "SDXL": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
        "SVD": (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002),
    }
)
# The steps of training that SD Turbo was distilled at. Source: Sauer et al. 2023, arXiv 2311.17042.
TURBO_TIMES = tuple(range(999, 0, -100))
# What a list turned around begins with in the place of 0, where no sampler could set out from (ComfyUI).
NEARLY_CLEAN = 0.0001


@dataclass(frozen=True)
class Ends:
    """As much of a table of noise levels as schedules between two ends ask for.

    Raises: SamplingError, where schedules that take logarithms or roots would have no answer.
    """

    sigma_min: float
    sigma_max: float

    def __post_init__(self) -> None:
        if not 0.0 < self.sigma_min <= self.sigma_max < math.inf:
            raise SamplingError(
                f"noise levels go from sigma_max down to sigma_min, both above 0; got sigma_max {self.sigma_max:g} "
                f"and sigma_min {self.sigma_min:g}"
            )


def polyexponential(steps: int, ends: Ends, rho: float = 1.0) -> Tensor:
    """Steps in log σ that follow a power. Returns: [steps + 1], the last 0. Source: Karras et al.'s k-diffusion."""
    low, high = math.log(ends.sigma_min), math.log(ends.sigma_max)
    return ending_in_zero((torch.linspace(1, 0, steps) ** rho * (high - low) + low).exp())


def variance_preserving(steps: int, beta_d: float = 19.9, beta_min: float = 0.1, eps_s: float = 1e-3) -> Tensor:
    """The levels of a continuous variance-preserving diffusion at equal times, from 1 to `eps_s`.

    Returns: [steps + 1], the last 0. Source: Karras et al. 2022, arXiv 2206.00364, table 1.
    """
    times = torch.linspace(1, eps_s, steps)
    levels = (beta_d * times**2 / 2 + beta_min * times).expm1().sqrt()
    if not bool(torch.isfinite(levels).all()):
        raise SamplingError(
            f"beta_d {beta_d:g} and beta_min {beta_min:g} make more noise than float32 can tell; usual are 19.9 and 0.1"
        )
    return ending_in_zero(levels)


def laplace(steps: int, ends: Ends, mu: float = 0.0, beta: float = 0.5) -> Tensor:
    """Levels spread as a Laplace distribution in log σ.

    Returns: [steps], without a 0 at the end. Source: Hang et al. 2024, arXiv 2407.03297.
    """
    share = 0.5 - torch.linspace(0, 1, steps)
    levels = (mu - beta * share.sign() * (1 - 2 * share.abs() + 1e-5).log()).exp()
    return levels.clamp(ends.sigma_min, ends.sigma_max)


def turbo(steps: int, denoise: float, table: SigmaTable) -> Tensor:
    """The levels that SD Turbo was distilled at; with a denoise below 1 some of the first are left out.

    Returns: at most [steps + 1], the last 0.
    """
    start = len(TURBO_TIMES) - int(len(TURBO_TIMES) * denoise)
    times = TURBO_TIMES[start : start + steps]
    return ending_in_zero(table.sigma(torch.tensor(times, dtype=torch.float32)))


def aligned(model_type: str, steps: int, denoise: float = 1.0) -> Tensor:
    """The levels of Align Your Steps, between its ten on a line through their logarithms.

    Returns: [steps · denoise + 1], the last 0; none where there is nothing to do.
    """
    if model_type not in ALIGNED:
        raise SamplingError(f"model type {model_type!r} is unknown; choose one of {', '.join(ALIGNED)}")
    if denoise <= 0.0:
        return torch.zeros(0)
    kept = steps if denoise >= 1.0 else round(steps * denoise)
    known = ALIGNED[model_type]
    levels = torch.tensor([*known] if steps + 1 == len(known) else log_linear(known, steps + 1))[-(kept + 1) :]
    levels[-1] = 0.0
    return levels


def log_linear(known: Sequence[float], count: int) -> list[float]:
    """Falling numbers at so many equal places, in between on a line through their logarithms."""
    rising = numpy.log(numpy.asarray(known, dtype=numpy.float64)[::-1])
    places = numpy.interp(numpy.linspace(0, 1, count), numpy.linspace(0, 1, len(known)), rising)
    return [float(each) for each in numpy.exp(places)[::-1]]


def split(levels: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """The levels before a step and those from it on; the level of the step is in both."""
    return levels[: step + 1], levels[step:]


def split_at_share(levels: Tensor, denoise: float) -> tuple[Tensor, Tensor]:
    """The levels of the first steps, and those of the last steps, whose share of all is `denoise`."""
    last = round(max(len(levels) - 1, 0) * denoise)
    # ComfyUI: where the last part has no step, the first part is empty too.
    return levels[:-last], levels[-(last + 1) :]


def turned(levels: Tensor) -> Tensor:
    """The levels from the lowest to the highest, for walking from a picture to its noise."""
    rising = levels.flip(0).clone()
    if len(rising) and rising[0] == 0:
        rising[0] = NEARLY_CLEAN
    return rising


def with_first(levels: Tensor, sigma: float) -> Tensor:
    """The levels with another first one. Raises: SamplingError, where there is none."""
    if len(levels) == 0:
        raise SamplingError("sigmas: there is no first noise level to set, the list is empty")
    changed = levels.clone()
    changed[0] = sigma
    return changed


def linear(share: float) -> float:
    """Even steps."""
    return share


def cosine(share: float) -> float:
    """Long steps, then ever shorter ones."""
    return math.sin(share * math.pi / 2)


def sine(share: float) -> float:
    """Short steps, then ever longer ones."""
    return 1.0 - math.cos(share * math.pi / 2)


SPACINGS: Mapping[str, Callable[[float], float]] = MappingProxyType({"linear": linear, "cosine": cosine, "sine": sine})


def extended(levels: Tensor, steps: int, start: float, end: float, spacing: str = "linear") -> Tensor:
    """The levels with each step that starts between two levels made into several.

    Units: start and end are noise levels; a start below 0 stands for the highest there could be.
    """
    highest = math.inf if start < 0 else start
    curve = SPACINGS[spacing]
    found: list[Tensor] = []
    for place, level in enumerate(levels):
        found.append(level)
        if place + 1 < len(levels) and end <= float(level) <= highest:
            change = levels[place + 1] - level
            found.extend(level + change * curve(each / steps) for each in range(1, steps))
    return torch.stack(found) if found else levels


def written(text: str) -> Tensor:
    """The levels of a text: numbers with anything but digits between them.

    Raises: SamplingError, where there are none.
    """
    numbers = re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text)
    if not numbers:
        raise SamplingError(f'sigmas: expected noise levels such as "14.6, 6.5, 2.7, 0", got {text[:80]!r}')
    return torch.tensor([float(each) for each in numbers])


def ending_in_zero(levels: Tensor) -> Tensor:
    """The same levels, and none at the end. Shapes: levels [S] → [S + 1]."""
    return torch.cat([levels, levels.new_zeros(1)])
