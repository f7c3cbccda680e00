"""A full Stable Diffusion 1 checkpoint on disk: what any other program in the field can open."""

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from engine.checkpoints.families.sd1 import FAMILY
from engine.checkpoints.hints import Hints
from engine.devices.patches import Patches, patched
from engine.devices.residency import Part
from engine.errors import PathError
from engine.values import Clip, Model, Vae

NETWORK = "model.diffusion_model."
TEXT = FAMILY.texts[0].prefix + "text_model."
VAE = FAMILY.vae_prefix


@dataclass(frozen=True)
class Weights:
    """The parts of a checkpoint as plain tensors, each under its network's own names; empty where there is none."""

    unet: Mapping[str, Tensor]
    text: Mapping[str, Tensor]
    vae: Mapping[str, Tensor]

    @classmethod
    def of(cls, model: Model, clip: Clip | None = None, vae: Vae | None = None) -> "Weights":
        """The weights of loaded values, in the format they are stored in, with the patches they wear worked in."""
        return cls(
            _worked_in(model.part, model.patches),
            {} if clip is None else _worked_in(clip.encoders[0].part, clip.patches_of(clip.encoders[0])),
            {} if vae is None else dict(vae.part.weights),
        )

    def layout(self) -> dict[str, Tensor]:
        """All of them under the names that published checkpoints use."""
        named = {
            **{NETWORK + name: tensor for name, tensor in self.unet.items()},
            **{TEXT + name: tensor for name, tensor in self.text.items()},
            **{VAE + name: tensor for name, tensor in self.vae.items()},
        }
        if self.text:
            positions = self.text["embeddings.position_embedding.weight"].shape[0]
            named[TEXT + "embeddings.position_ids"] = torch.arange(positions)[None]
        return named


def save_checkpoint(
    path: Path, weights: Weights, hints: Hints | None = None, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes a checkpoint in Stable Diffusion 1's layout; `hints` say what its shapes cannot.

    Raises: PathError, when it cannot be written; nothing half-written is left then.
    """
    save_tensors(path, weights.layout(), {**(metadata or {}), **(hints or Hints()).metadata()})


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file: whole, or not at all. A file that is there already is replaced.

    Raises: PathError.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(whole, temporary, metadata={"format": "pt", **(metadata or {})})
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise PathError(f"{path}: cannot be written ({error}); free some space or choose another folder") from error
    finally:
        _remove(temporary)


def _worked_in(part: Part[Any], patches: Patches) -> dict[str, Tensor]:
    device = part.place.device
    return {
        name: patched(name, weight, patches[name], device) if name in patches else weight
        for name, weight in part.weights.items()
    }


def _remove(path: Path) -> None:
    with suppress(OSError):  # its folder may be the very thing that cannot be used
        path.unlink(missing_ok=True)
