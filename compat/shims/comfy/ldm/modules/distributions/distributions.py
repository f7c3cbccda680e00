"""The normal distribution that an autoencoder's encoder tells."""

from typing import Any

import torch
from torch import Tensor


class DiagonalGaussianDistribution:
    """Independent normal numbers. Shapes: parameters [B, 2·C, h, w], means and log variances."""

    def __init__(self, parameters: Tensor, deterministic: bool = False) -> None:
        self.parameters = parameters
        self.mean, logvar = parameters.chunk(2, dim=1)
        self.logvar = logvar.clamp(-30.0, 20.0)
        self.deterministic = deterministic
        self.std = torch.zeros_like(self.mean) if deterministic else (0.5 * self.logvar).exp()
        self.var = self.std**2

    def sample(self) -> Tensor:
        """A draw."""
        return self.mean + self.std * torch.randn(self.mean.shape, device=self.parameters.device)

    def mode(self) -> Tensor:
        """The likeliest: the mean."""
        return self.mean

    def kl(self, other: Any = None) -> Tensor:
        """How far it is from the standard normal distribution, or from another. Returns: [B]."""
        if self.deterministic:
            return torch.zeros(1)
        mean, var, logvar = (0.0, 1.0, 0.0) if other is None else (other.mean, other.var, other.logvar)
        terms = (self.mean - mean) ** 2 / var + self.var / var - 1.0 - self.logvar + logvar
        return 0.5 * terms.sum(dim=[1, 2, 3])
