"""Lists of noise levels from their ends alone, as k-diffusion's get_sigmas_… functions give them."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.sampling import schedules

Device = torch.device | str


@dataclass(frozen=True)
class Ends:
    """As much of a table of noise levels as schedules between two ends ask for."""

    sigma_min: float
    sigma_max: float

    @classmethod
    def of(cls, sigma_min: Any, sigma_max: Any) -> Any:
        """From numbers or scalar tensors."""
        return cls(float(sigma_min), float(sigma_max))


def karras(n: int, sigma_min: Any, sigma_max: Any, rho: float = 7.0, device: Device = "cpu") -> Tensor:
    """Karras et al.'s levels, falling fast at first. Returns: [n + 1], the last 0."""
    return schedules.karras(n, Ends.of(sigma_min, sigma_max), rho).to(device)


def exponential(n: int, sigma_min: Any, sigma_max: Any, device: Device = "cpu") -> Tensor:
    """Equal steps in log σ. Returns: [n + 1], the last 0."""
    return schedules.exponential(n, Ends.of(sigma_min, sigma_max)).to(device)


def polyexponential(n: int, sigma_min: Any, sigma_max: Any, rho: float = 1.0, device: Device = "cpu") -> Tensor:
    """Steps in log σ that follow a power. Returns: [n + 1], the last 0."""
    low, high = math.log(float(sigma_min)), math.log(float(sigma_max))
    return _ending_in_zero((torch.linspace(1, 0, n) ** rho * (high - low) + low).exp(), device)


def variance_preserving(
    n: int, beta_d: float = 19.9, beta_min: float = 0.1, eps_s: float = 1e-3, device: Device = "cpu"
) -> Tensor:
    """The levels of a continuous variance-preserving diffusion at equal times. Returns: [n + 1], the last 0."""
    times = torch.linspace(1, eps_s, n)
    return _ending_in_zero((beta_d * times**2 / 2 + beta_min * times).expm1().sqrt(), device)


def laplace(
    n: int, sigma_min: Any, sigma_max: Any, mu: float = 0.0, beta: float = 0.5, device: Device = "cpu"
) -> Tensor:
    """Levels spread as a Laplace distribution in log σ. Returns: [n], without a 0 at the end."""
    share = 0.5 - torch.linspace(0, 1, n)
    levels = (mu - beta * share.sign() * (1 - 2 * share.abs() + 1e-5).log()).exp()
    return levels.clamp(float(sigma_min), float(sigma_max)).to(device)


def _ending_in_zero(levels: Tensor, device: Device) -> Tensor:
    return torch.cat([levels, levels.new_zeros(1)]).to(device)
