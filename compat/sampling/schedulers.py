"""Schedules over any model_sampling object, a plugin's own included: ComfyUI's functions, on our schedules."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.sampling import schedules
from engine.sampling.levels import Ends


class SchedulerHandler(NamedTuple):
    """How a schedule is asked: handler(model_sampling, steps), or without `use_ms` handler(n=, sigma_min=, sigma_max=).

    Either gives a falling list [steps + 1] that ends in 0.
    """

    handler: Callable[..., Tensor]
    use_ms: bool = True


@dataclass(frozen=True)
class Levels:
    """A model_sampling object as our schedules read a table of noise levels."""

    sampling: Any

    @property
    def sigmas(self) -> Tensor:
        """The table, rising."""
        found: Tensor = self.sampling.sigmas
        return found.detach().cpu()

    @property
    def sigma_min(self) -> float:
        """The lowest level above none."""
        return float(self.sampling.sigma_min)

    @property
    def sigma_max(self) -> float:
        """The highest level."""
        return float(self.sampling.sigma_max)

    def __len__(self) -> int:
        return len(self.sampling.sigmas)

    def timestep(self, sigma: Tensor) -> Tensor:
        """The time of a level."""
        return torch.as_tensor(self.sampling.timestep(sigma)).detach().cpu()

    def sigma(self, timestep: Tensor) -> Tensor:
        """The level of a time."""
        return torch.as_tensor(self.sampling.sigma(timestep)).detach().cpu()


def _over(sampling: Any) -> Any:
    return Levels(sampling)


def simple_scheduler(model_sampling: Any, steps: int) -> Tensor:
    """Equal steps through the table, from its top."""
    return schedules.simple(steps, _over(model_sampling))


def ddim_scheduler(model_sampling: Any, steps: int) -> Tensor:
    """Every so-manieth training step; often more than steps + 1 levels."""
    return schedules.ddim_uniform(steps, _over(model_sampling))


def normal_scheduler(model_sampling: Any, steps: int, sgm: bool = False, floor: bool = False) -> Tensor:
    """Equal steps in the model's time; with `sgm` the last is left out. `floor` is not used, as in ComfyUI."""
    made = schedules.sgm_uniform if sgm else schedules.normal
    return made(steps, _over(model_sampling))


def sgm_uniform_scheduler(model_sampling: Any, steps: int) -> Tensor:
    """Equal steps in the model's time, the last left out."""
    return normal_scheduler(model_sampling, steps, sgm=True)


def beta_scheduler(model_sampling: Any, steps: int, alpha: float = 0.6, beta: float = 0.6) -> Tensor:
    """Steps close together at both ends, spread as a beta distribution."""
    return schedules.beta(steps, _over(model_sampling), alpha, beta)


def linear_quadratic_schedule(
    model_sampling: Any, steps: int, threshold_noise: float = 0.025, linear_steps: int | None = None
) -> Tensor:
    """Slow and even down to a threshold, then ever faster. Raises: ValueError, for another number of linear steps."""
    if linear_steps not in (None, steps // 2):
        raise ValueError(f"linear_quadratic_schedule: half of the steps ({steps // 2}) are linear, not {linear_steps}")
    return schedules.linear_quadratic(steps, _over(model_sampling), threshold_noise)


def kl_optimal_scheduler(n: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Equal steps in arctan σ."""
    return schedules.kl_optimal(n, Ends(float(sigma_min), float(sigma_max)))
