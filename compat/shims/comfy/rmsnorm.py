"""The norm by the root of the mean square."""

import torch
from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor | None = None, eps: float = 1e-6) -> Tensor:
    """Each vector of the last axis divided by its size. Source: Zhang and Sennrich 2019, arXiv 1910.07467."""
    scale = None if weight is None else weight.to(x)
    return torch.nn.functional.rms_norm(x, (x.shape[-1],), weight=scale, eps=eps)
