"""Weights in diffusers' layout under the names of the original checkpoints."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from comfy.diffusers_load import load_diffusers
from compat.missing import missing
from engine.checkpoints import keys, open_clip
from engine.checkpoints.build import shapes_of

__all__ = [
    "convert_text_enc_state_dict",
    "convert_text_enc_state_dict_v20",
    "convert_vae_state_dict",
    "load_diffusers",
]


def convert_vae_state_dict(vae_state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An autoencoder's weights under their original names."""
    return keys.translated(vae_state_dict, keys.diffusers_vae_names(shapes_of(vae_state_dict)))


def convert_text_enc_state_dict(text_enc_dict: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """CLIP-L's weights, whose names are the same in both."""
    return text_enc_dict


def convert_text_enc_state_dict_v20(text_enc_dict: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """An OpenCLIP text encoder's weights under transformers' names."""
    below = {name.removeprefix(prefix): tensor for name, tensor in text_enc_dict.items() if name.startswith(prefix)}
    return {f"{prefix}text_model.{name}": tensor for name, tensor in open_clip.converted(below).items()}


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
