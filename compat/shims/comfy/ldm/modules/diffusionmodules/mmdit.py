"""Stable Diffusion 3's layers that are mathematics alone; its network this program does not have."""

from typing import Any

import torch
from torch import Tensor, nn

from comfy.rmsnorm import rms_norm
from compat.missing import absent_class, missing


class RMSNorm(nn.Module):
    """A norm by the root of the mean square, perhaps with a learned scale."""

    def __init__(
        self,
        dim: int,
        elementwise_affine: bool = False,
        eps: float = 1e-6,
        device: Any = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.eps = eps
        self.learnable_scale = elementwise_affine
        if elementwise_affine:
            self.weight = nn.Parameter(torch.empty(dim, device=device, dtype=dtype), requires_grad=False)
        else:
            self.register_parameter("weight", None)

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


JointBlock = absent_class(__name__, "JointBlock")
MMDiT = absent_class(__name__, "MMDiT")
OpenAISignatureMMDITWrapper = absent_class(__name__, "OpenAISignatureMMDITWrapper", MMDiT)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
