"""Models in diffusers' layout: a folder with a model_index.json and a sub-folder for each part.

Source: node_behaviour.md 6, DiffusersLoader.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.checkpoints.configs import Configuration
from engine.errors import CheckpointError

NETWORK = (
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.fp16.bin",
    "diffusion_pytorch_model.bin",
)
TEXT = ("model.fp16.safetensors", "model.safetensors", "pytorch_model.fp16.bin", "pytorch_model.bin")
TEXTS = ("text_encoder", "text_encoder_2")

LARGEST = 1 << 20  # bytes of a scheduler's configuration; the published ones have less than 1,000


@dataclass(frozen=True)
class Parts:
    """The files of a model in diffusers' layout, and what its scheduler says of it."""

    unet: Path
    texts: tuple[Path, ...]
    vae: Path | None
    said: Configuration


def parts(folder: Path) -> Parts:
    """The files of a folder. Raises: CheckpointError, where there is no denoiser in it."""
    unet = _first(folder / "unet", NETWORK)
    if unet is None:
        raise CheckpointError(
            f"{folder.name}: expected {NETWORK[1]} in its folder unet, but it is not there; fetch the whole model, or "
            "choose another folder"
        )
    texts = (_first(folder / name, TEXT) for name in TEXTS)
    return Parts(
        unet, tuple(each for each in texts if each is not None), _first(folder / "vae", NETWORK), _said(folder)
    )


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _said(folder: Path) -> Configuration:
    """What its scheduler was trained for."""
    path = folder / "scheduler" / "scheduler_config.json"
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return Configuration()
        said: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder.name}: its scheduler_config.json cannot be read ({error})") from error
    if not isinstance(said, dict) or said.get("prediction_type") != "v_prediction":
        return Configuration()
    return Configuration("v", zero_terminal_snr=bool(said.get("rescale_betas_zero_snr")))
