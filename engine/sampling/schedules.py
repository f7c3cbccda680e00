"""Which noise levels sampling visits: the nine sigma schedules of ComfyUI, by name.

Every schedule is a function of a number of steps and a table of noise levels, and gives a falling list that ends in 0.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy
import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.sampling.levels import Ends
from engine.sampling.table import SigmaTable

# These samplers end badly on the second-lowest noise level, so one more step is planned and that one left out.
WITHOUT_PENULTIMATE = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})


def sigmas(name: str, table: SigmaTable, steps: int, denoise: float = 1.0, sampler: str = "euler") -> Tensor:
    """The noise levels of a run, from the first to 0.

    Units: denoise is the share of the run that is walked, from its end; 0 walks nothing.
    Returns: usually [steps + 1], float32; [0] when there is nothing to do.
    Raises: SamplingError, for an unknown schedule or no steps.
    """
    if name not in SCHEDULES:
        raise SamplingError(f"scheduler {name!r} is unknown; choose one of {', '.join(SCHEDULES)}")
    if steps < 1:
        raise SamplingError(f"sampling needs at least 1 step, but {steps} were asked for")
    if denoise <= 0.0:
        return torch.zeros(0)
    # ComfyUI: a denoise of 0.9999 and more counts as 1.
    planned = steps if denoise > 0.9999 else int(steps / denoise)
    levels = _levels(name, table, planned, sampler)
    return levels if planned == steps else levels[-(steps + 1) :]


def _levels(name: str, table: SigmaTable, steps: int, sampler: str) -> Tensor:
    if sampler not in WITHOUT_PENULTIMATE:
        return SCHEDULES[name](steps, table)
    levels = SCHEDULES[name](steps + 1, table)
    return torch.cat([levels[:-2], levels[-1:]])


@dataclass(frozen=True)
class Part:
    """Which part of a run is walked: the steps from `start` to before `end`, as KSamplerAdvanced asks.

    `keep_noise` leaves the noise of the last level in, for another run to continue.
    """

    start: int = 0
    end: int = 10000
    keep_noise: bool = False

    def of(self, levels: Tensor) -> Tensor:
        """The noise levels of this part, none when it lies behind the end.

        Shapes: levels [S + 1]. Returns: [≤ S + 1].
        """
        if self.end < len(levels) - 1:
            levels = levels[: self.end + 1].clone()
            if not self.keep_noise:
                levels[-1] = 0.0
        return levels[self.start :] if self.start < len(levels) - 1 else levels[:0]


def simple(steps: int, table: SigmaTable) -> Tensor:
    """Equal steps through the table, from its top."""
    stride = len(table) / steps
    return _ending_in_zero([float(table.sigmas[-(1 + int(k * stride))]) for k in range(steps)])


def normal(steps: int, table: SigmaTable) -> Tensor:
    """Equal steps in the model's time, its first and last included."""
    last = table.sigma(_times(table, 2)[-1])
    # A table that goes down to no noise at all ends by itself.
    if math.isclose(float(last), 0.0, abs_tol=1e-5):
        return _ending_in_zero(table.sigma(_times(table, steps + 1))[:-1])
    return _ending_in_zero(table.sigma(_times(table, steps)))


def sgm_uniform(steps: int, table: SigmaTable) -> Tensor:
    """Equal steps in the model's time, the last left out. Source: Stability AI's generative-models."""
    return _ending_in_zero(table.sigma(_times(table, steps + 1)[:-1]))


def karras(steps: int, table: SigmaTable | Ends, rho: float = 7.0) -> Tensor:
    """Noise levels that fall fast at first and slowly near the picture.

    Source: Karras et al. 2022, arXiv 2206.00364, eq. 5.
    Raises: SamplingError, for a power of 0.
    """
    if rho <= 0:
        raise SamplingError(f"karras noise levels follow the power rho, which must be above 0; got {rho:g}")
    ramp = torch.linspace(0, 1, steps)
    low, high = table.sigma_min ** (1 / rho), table.sigma_max ** (1 / rho)
    return _ending_in_zero((high + ramp * (low - high)) ** rho)


def exponential(steps: int, table: SigmaTable | Ends) -> Tensor:
    """Equal steps in log σ."""
    return _ending_in_zero(torch.linspace(math.log(table.sigma_max), math.log(table.sigma_min), steps).exp())


def ddim_uniform(steps: int, table: SigmaTable) -> Tensor:
    """Every so-manieth training step. Source: Song et al. 2020, arXiv 2010.02502, section D.2.

    Returns: often more than steps + 1 levels, because the stride is a whole number.
    """
    ends_by_itself = math.isclose(float(table.sigmas[1]), 0.0, abs_tol=1e-5)
    stride = max(len(table) // (steps + 1 if ends_by_itself else steps), 1)
    levels = [float(table.sigmas[index]) for index in range(1, len(table), stride)][::-1]
    return torch.tensor(levels) if ends_by_itself else _ending_in_zero(levels)


def beta(steps: int, table: SigmaTable, alpha: float = 0.6, beta: float = 0.6) -> Tensor:
    """Steps close together at both ends. Source: Lee et al. 2024, arXiv 2407.12173.

    Returns: fewer than steps + 1 levels where two fell on the same entry of the table.
    """
    if alpha <= 0 or beta <= 0:
        raise SamplingError(f"a beta distribution has alpha and beta above 0; got {alpha:g} and {beta:g}")
    from scipy import stats  # slow to import, and one schedule's affair

    shares = 1 - numpy.linspace(0, 1, steps, endpoint=False)
    indices = numpy.rint(stats.beta.ppf(shares, alpha, beta) * (len(table) - 1)).astype(int)
    kept = dict.fromkeys(indices.tolist())
    return _ending_in_zero([float(table.sigmas[index]) for index in kept])


def linear_quadratic(steps: int, table: SigmaTable, threshold: float = 0.025) -> Tensor:
    """The first half of the steps slowly and evenly, then ever faster. Source: Genmo's Mochi 1."""
    if steps == 1:
        return torch.tensor([1.0, 0.0]) * table.sigma_max
    linear_steps = steps // 2
    quadratic_steps = steps - linear_steps
    slope = threshold / linear_steps
    gap = linear_steps - threshold * steps
    curve = gap / (linear_steps * quadratic_steps**2)
    tilt = slope - 2 * gap / quadratic_steps**2
    bend = curve * linear_steps**2
    done = [slope * i for i in range(linear_steps)]
    done += [curve * i**2 + tilt * i + bend for i in range(linear_steps, steps)]
    return torch.tensor([1.0 - share for share in [*done, 1.0]]) * table.sigma_max


def kl_optimal(steps: int, table: SigmaTable | Ends) -> Tensor:
    """Equal steps in arctan σ. Source: Sabour et al. 2024, arXiv 2404.14507, theorem 3.1."""
    if steps == 1:
        return torch.tensor([table.sigma_max, 0.0])
    ramp = torch.arange(steps) / (steps - 1)
    return _ending_in_zero((ramp * math.atan(table.sigma_min) + (1 - ramp) * math.atan(table.sigma_max)).tan())


def _times(table: SigmaTable, count: int) -> Tensor:
    first, last = (table.timestep(torch.tensor(sigma)).item() for sigma in (table.sigma_max, table.sigma_min))
    return torch.linspace(first, last, count)


def _ending_in_zero(levels: list[float] | Tensor) -> Tensor:
    levels = torch.as_tensor(levels, dtype=torch.float32)
    return torch.cat([levels, levels.new_zeros(1)])


SCHEDULES: Mapping[str, Callable[[int, SigmaTable], Tensor]] = MappingProxyType(
    {
        "simple": simple,
        "sgm_uniform": sgm_uniform,
        "karras": karras,
        "exponential": exponential,
        "ddim_uniform": ddim_uniform,
        "beta": beta,
        "normal": normal,
        "linear_quadratic": linear_quadratic,
        "kl_optimal": kl_optimal,
    }
)

# In the order in which they are offered.
SCHEDULERS: tuple[str, ...] = tuple(SCHEDULES)
