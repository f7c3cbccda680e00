"""Files of latents: safetensors with one tensor of ours and the workflow inside. Source: node_behaviour.md 2."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from engine.checkpoints.tensors import open_tensors
from engine.errors import CheckpointError

SAMPLES, VERSION = "latent_tensor", "latent_format_version_0"

OLD_SCALE = 0.18215  # Stable Diffusion 1's; files from before there were versions hold latents times this


def packed(samples: Tensor, texts: Mapping[str, str]) -> bytes:
    """The content of a file with these latents and texts."""
    return save({SAMPLES: samples.cpu().contiguous(), VERSION: torch.tensor([])}, metadata=dict(texts))


def read(path: Path) -> Tensor:
    """The latents of a file, float32.

    Raises: CheckpointError, for a file that holds none, or ones that are no numbers.
    """
    file = open_tensors(path)
    shape = file.shapes.get(SAMPLES)
    if shape is None or len(shape) not in (4, 5) or 0 in shape:
        what = f"a tensor of shape {list(shape)}" if shape is not None else f"{', '.join([*file.shapes][:3])}"
        raise CheckpointError(
            f"{path.name}: no file of latents; expected {SAMPLES} [batch, channels, height, width], got {what}"
        )
    samples = file.load([SAMPLES])[SAMPLES].float()
    if not samples.isfinite().all():
        raise CheckpointError(f"{path.name}: {SAMPLES} holds NaN or infinities; whatever drew it went wrong.")
    return samples if VERSION in file.shapes else samples / OLD_SCALE
