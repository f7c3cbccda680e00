"""Small functions of the UNet's world that plugins import."""

from typing import Any

import torch
from torch import Tensor, nn

from compat.missing import missing
from engine.models.layers import timestep_embedding as _waves


def timestep_embedding(timesteps: Tensor, dim: int, max_period: int = 10000, repeat_only: bool = False) -> Tensor:
    """Waves of falling frequency that tell a network the time. Shapes: timesteps [B] → [B, dim]."""
    if repeat_only:
        return timesteps[:, None].expand(-1, dim)
    return _waves(timesteps, dim, max_period)


def make_beta_schedule(
    schedule: str, n_timestep: int, linear_start: float = 1e-4, linear_end: float = 2e-2, cosine_s: float = 8e-3
) -> Tensor:
    """How much noise each training step adds. Returns: [n_timestep], float64."""
    from comfy.model_sampling import _betas

    return _betas(schedule, n_timestep, linear_start, linear_end, cosine_s)


def extract_into_tensor(a: Tensor, t: Tensor, x_shape: tuple[int, ...]) -> Tensor:
    """The entries of a table at these times, shaped to multiply something of x_shape."""
    return a.gather(-1, t).reshape(t.shape[0], *[1] * (len(x_shape) - 1))


def checkpoint(func: Any, inputs: Any, params: Any, flag: bool) -> Any:
    """Calls a function; nothing is kept for a backward pass, as nothing is trained here."""
    return func(*inputs)


def zero_module(module: nn.Module) -> nn.Module:
    """The module with all its weights 0."""
    for weight in module.parameters():
        weight.detach().zero_()
    return module


def avg_pool_nd(dims: int, *args: Any, **kwargs: Any) -> nn.Module:
    """Averaging over one, two or three axes."""
    return {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}[dims](*args, **kwargs)


class AlphaBlender(nn.Module):
    """Two tensors mixed by a learned share, as video networks mix space and time.

    `merge_strategy` is "fixed", "learned" or "learned_with_images" (where each frame says whether it is a picture).
    """

    mix_factor: Tensor
    strategies = ("learned", "fixed", "learned_with_images")

    def __init__(self, alpha: float, merge_strategy: str, rearrange_pattern: str = "b t -> (b t) 1 1") -> None:
        super().__init__()
        if merge_strategy not in self.strategies:
            raise ValueError(f"merge_strategy must be one of {self.strategies}, got {merge_strategy!r}")
        self.merge_strategy = merge_strategy
        self.rearrange_pattern = rearrange_pattern
        if merge_strategy == "fixed":
            self.register_buffer("mix_factor", torch.tensor([alpha]))
        else:
            self.register_parameter("mix_factor", nn.Parameter(torch.tensor([alpha])))

    def get_alpha(self, image_only_indicator: Tensor | None, device: Any) -> Tensor:
        """The share of the first tensor. Shapes: image_only_indicator [B, T]."""
        factor = self.mix_factor.to(device)
        if self.merge_strategy == "fixed":
            return factor
        share = torch.sigmoid(factor)
        if self.merge_strategy == "learned" or image_only_indicator is None:
            return share
        flags = image_only_indicator.to(device).bool()
        chosen = torch.where(flags, torch.ones(1, 1, device=device), share[..., None])
        if self.rearrange_pattern == "b t -> (b t) 1 1":
            return chosen.reshape(-1, 1, 1)
        return chosen.reshape(chosen.shape[0], 1, chosen.shape[1], 1, 1)

    def forward(self, x_spatial: Tensor, x_temporal: Tensor, image_only_indicator: Tensor | None = None) -> Tensor:
        alpha = self.get_alpha(image_only_indicator, x_spatial.device).to(x_spatial.dtype)
        return alpha * x_spatial + (1.0 - alpha) * x_temporal


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
