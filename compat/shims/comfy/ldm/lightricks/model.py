"""LTX Video's mathematics; its network this program does not have. Source: Lightricks/LTX-Video."""

from typing import Any

import torch
from torch import Tensor

from compat.missing import absent_class, missing


def apply_rotary_emb(input_tensor: Tensor, freqs_cis: tuple[Tensor, Tensor]) -> Tensor:
    """Features turned in pairs of neighbours. Shapes: input [B, T, D]; cosines and sines [B, T, D]."""
    cos, sin = freqs_cis
    first, second = input_tensor.unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack([-second, first], dim=-1).flatten(-2)
    return input_tensor * cos + turned * sin


LTXVModel = absent_class(__name__, "LTXVModel")
BasicTransformerBlock = absent_class(__name__, "BasicTransformerBlock")
CrossAttention = absent_class(__name__, "CrossAttention")
FeedForward = absent_class(__name__, "FeedForward")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
