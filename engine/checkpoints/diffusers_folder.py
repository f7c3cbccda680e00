"""Models in diffusers' layout: a folder with a model_index.json and a sub-folder for each part.

Source: node_behaviour.md 6, DiffusersLoader.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.checkpoints import diffusers_scheduler
from engine.checkpoints.configs import Configuration
from engine.errors import CheckpointError
from engine.models.latent_format import PLAYGROUND

NETWORK = (
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.fp16.bin",
    "diffusion_pytorch_model.bin",
)
TEXT = ("model.fp16.safetensors", "model.safetensors", "pytorch_model.fp16.bin", "pytorch_model.bin")
TEXTS = ("text_encoder", "text_encoder_2")

LARGEST = 1 << 20  # bytes of a configuration; the published ones have less than 1,000


@dataclass(frozen=True)
class Parts:
    """The files of a model in diffusers' layout, and what its configurations say of it."""

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
    """What it was trained for: its scheduler says at which noise levels, its autoencoder on which latents."""
    scheduler = _read(folder, "scheduler/scheduler_config.json")
    noise = diffusers_scheduler.prediction(scheduler, f"{folder.name}: its scheduler_config.json")
    return Configuration(noise=noise, latents=_latents(folder, _read(folder, "vae/config.json")))


def _read(folder: Path, name: str) -> Mapping[str, Any]:
    """A configuration; nothing where there is none. Raises: CheckpointError."""
    path = folder / name
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return {}
        said: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder.name}: its {path.name} cannot be read ({error})") from error
    return said if isinstance(said, dict) else {}


def _latents(folder: Path, autoencoder: Mapping[str, Any]) -> str | None:
    """Latents that are not the family's, by their means and deviations. Raises: CheckpointError, for unknown ones."""
    found = [autoencoder.get(name) for name in ("latents_mean", "latents_std")]
    if found == [None, None]:
        return None
    known = (PLAYGROUND.mean, PLAYGROUND.deviation)
    if not all(_are_close(each, its) for each, its in zip(found, known, strict=True)):
        raise CheckpointError(
            f"{folder.name}: its vae/config.json says latents_mean {found[0]} and latents_std {found[1]}; expected "
            f"none, or Playground 2.5's {list(known[0])} and {list(known[1])}; other latents are not known here"
        )
    return "playground"


def _are_close(found: object, known: Sequence[float]) -> bool:
    if not isinstance(found, list) or len(found) != len(known):
        return False
    pairs = zip(found, known, strict=True)
    return all(isinstance(each, float) and math.isclose(each, its, abs_tol=1e-4) for each, its in pairs)
