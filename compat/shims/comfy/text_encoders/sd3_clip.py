"""The text encoders of Stable Diffusion 3, by name: T5 is not supported yet."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from compat.missing import missing
from compat.parts.unsupported import Unsupported, UnsupportedTokenizer

FAMILY = "Stable Diffusion 3"


class T5XXLModel(Unsupported):
    """T5-XXL."""

    family = FAMILY


class T5XXLTokenizer(UnsupportedTokenizer):
    """T5-XXL's tokens."""

    family = FAMILY


class SD3ClipModel(Unsupported):
    """CLIP-L, CLIP-G and T5-XXL together."""

    family = FAMILY


class SD3Tokenizer(UnsupportedTokenizer):
    """Tokens for all three."""

    family = FAMILY


def t5_xxl_detect(state_dict: Mapping[str, Tensor], prefix: str = "") -> dict[str, torch.dtype]:
    """The number format of a T5-XXL among these tensors, as options for those who build one."""
    norm = state_dict.get(f"{prefix}encoder.final_layer_norm.weight")
    return {} if norm is None else {"dtype_t5": norm.dtype}


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
