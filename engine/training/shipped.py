"""The finished model as a file: Stable Diffusion 1's layout in half precision, only the token rows in use."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.checkpoints.families.sd1 import FAMILY
from engine.checkpoints.hints import METADATA, TOKEN_IDS
from engine.checkpoints.save import layout, save_tensors
from engine.models.vae import AutoencoderKL
from engine.training import denoiser, text_tower
from engine.training.text_tower import TextTower

ROWS = "embeddings.token_embedding.weight"


def export(
    path: Path, unet: nn.Module, tower: TextTower, autoencoder: AutoencoderKL, details: Mapping[str, object]
) -> None:
    """Write a checkpoint that the ordinary loader opens; `details` go into its metadata beside the head counts.

    Raises: PathError when it cannot be written; nothing half-written is left then.
    """
    text = tower.encoder.state_dict()
    texts = {"clip_l": _half(text)}
    tensors = dict(layout(FAMILY, _half(unet.state_dict()), texts, _half(autoencoder.state_dict())))
    tensors.pop("cond_stage_model.transformer.text_model.embeddings.position_ids", None)
    tensors[TOKEN_IDS] = tower.ids.to(torch.int32)
    said = {
        "family": "sd1",
        "unet_heads": denoiser.HEADS,
        "clip_heads": text_tower.HEADS,
        "clip_activation": "quick_gelu",
        "prediction": "eps",
        **details,
    }
    save_tensors(path, tensors, {METADATA: json.dumps(said)})


def _half(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
