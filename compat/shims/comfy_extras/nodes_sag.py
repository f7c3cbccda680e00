"""ComfyUI's self-attention guidance. Source: node_behaviour.md 8; Hong et al. 2022, arXiv 2210.00939."""

from typing import Any

from torch import Tensor

from compat.core_nodes import built_in
from compat.host import host
from compat.missing import missing
from engine.steering import self_attention


def gaussian_blur_2d(img: Tensor, kernel_size: int, sigma: float) -> Tensor:
    """A Gaussian blur, mirrored at the sides. Shapes: img [B, C, H, W]. Units: sigma in cells."""
    return self_attention.gaussian_blur(img, kernel_size, sigma)


def create_blur_map(x0: Tensor, attn: Tensor, sigma: float = 3.0, threshold: float = 1.0) -> Tensor:
    """A latent blurred where the model looks most.

    Shapes: x0 [B, C, h, w]; attn [B·heads, queries, keys] of the middle block, as many keys as it has cells.
    """
    return self_attention.blur_map(x0, attn.reshape(len(x0), -1, *attn.shape[1:]), sigma, threshold)


def __getattr__(name: str) -> Any:
    if name == "SelfAttentionGuidance":
        return built_in.class_of(host().registry[name])
    raise missing(__name__, name)
