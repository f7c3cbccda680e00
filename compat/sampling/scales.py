"""Lists of noise levels from their ends alone, as k-diffusion's get_sigmas_… functions give them."""

from typing import Any

import torch
from torch import Tensor

from engine.sampling import levels, schedules
from engine.sampling.levels import Ends

Device = torch.device | str


def karras(n: int, sigma_min: Any, sigma_max: Any, rho: float = 7.0, device: Device = "cpu") -> Tensor:
    """Karras et al.'s levels, falling fast at first. Returns: [n + 1], the last 0."""
    return schedules.karras(n, _ends(sigma_min, sigma_max), rho).to(device)


def exponential(n: int, sigma_min: Any, sigma_max: Any, device: Device = "cpu") -> Tensor:
    """Equal steps in log σ. Returns: [n + 1], the last 0."""
    return schedules.exponential(n, _ends(sigma_min, sigma_max)).to(device)


def polyexponential(n: int, sigma_min: Any, sigma_max: Any, rho: float = 1.0, device: Device = "cpu") -> Tensor:
    """Steps in log σ that follow a power. Returns: [n + 1], the last 0."""
    return levels.polyexponential(n, _ends(sigma_min, sigma_max), rho).to(device)


def variance_preserving(
    n: int, beta_d: float = 19.9, beta_min: float = 0.1, eps_s: float = 1e-3, device: Device = "cpu"
) -> Tensor:
    """The levels of a continuous variance-preserving diffusion at equal times. Returns: [n + 1], the last 0."""
    return levels.variance_preserving(n, beta_d, beta_min, eps_s).to(device)


def laplace(
    n: int, sigma_min: Any, sigma_max: Any, mu: float = 0.0, beta: float = 0.5, device: Device = "cpu"
) -> Tensor:
    """Levels spread as a Laplace distribution in log σ. Returns: [n], without a 0 at the end."""
    return levels.laplace(n, _ends(sigma_min, sigma_max), mu, beta).to(device)


def _ends(sigma_min: Any, sigma_max: Any) -> Ends:
    """From numbers or scalar tensors."""
    return Ends(float(sigma_min), float(sigma_max))
