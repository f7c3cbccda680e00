"""Checkpoints on disk, in the layout their family is published in: what any other program in the field can open.

Weights that wear patches are made as they are written, one at a time, so that saving takes little memory.
"""

import json
import os
import struct
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from engine.checkpoints import open_clip
from engine.checkpoints.detect import FAMILIES
from engine.checkpoints.families import sd1
from engine.checkpoints.family import Family
from engine.checkpoints.hints import Hints
from engine.checkpoints.tensors import TensorFile
from engine.checkpoints.texts import PROJECTION
from engine.devices.patches import Patches, patched
from engine.devices.residency import Part
from engine.errors import CheckpointError, PathError
from engine.values import Clip, Model, Vae

NETWORK = "model.diffusion_model."

# Source of the names: the safetensors format.
_FORMATS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@dataclass(frozen=True, eq=False)
class Later:
    """A tensor that is made when it is written."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    make: Callable[[], Tensor]


Stored = Mapping[str, Tensor | Later]
"""What goes into a file, by its name there."""


def layout(
    family: Family, unet: Stored, texts: Mapping[str, Stored] | None = None, vae: Stored | None = None
) -> Stored:
    """The networks of a checkpoint, each under its own names, under the names that the family's published files have.

    `texts` are the text encoders by id. Raises: CheckpointError, for text encoders of another family.
    """
    named: dict[str, Tensor | Later] = {NETWORK + name: tensor for name, tensor in unet.items()}
    specs = {spec.id: spec for spec in family.texts}
    if texts and texts.keys() != specs.keys():
        raise CheckpointError(
            f"a checkpoint of {family.name} has the text encoders {', '.join(specs)}, this CLIP has "
            f"{', '.join(texts)}; take the CLIP of the same family, or save it alone with CLIPSave"
        )
    for id, tensors in (texts or {}).items():
        named.update({specs[id].prefix + name: each for name, each in _text_layout(id, family, tensors).items()})
    named.update({family.vae_prefix + name: tensor for name, tensor in (vae or {}).items()})
    return named


def family_of(model: Model) -> Family:
    """The family whose layout a model is saved in. Raises: CheckpointError, for one of a plugin's own."""
    found = next((family for family in FAMILIES if family.id == model.family and family.is_supported), None)
    if found is None:
        raise CheckpointError(f"this model is of {model.family!r}, a family whose layout is not known")
    return found


def model_weights(model: Model) -> Stored:
    """The denoiser's weights under its own names, the patches it wears worked in."""
    return _worked_in(model.part.weights, model.patches, model.part.place.device)


def text_weights(clip: Clip) -> dict[str, Stored]:
    """The weights of each text encoder by id, under its own names, the patches it wears worked in."""
    device = clip.encoders[0].part.place.device if hasattr(clip, "encoders") else torch.device("cpu")
    made: dict[str, dict[str, Tensor | Later]] = {}
    for name, tensor in _worked_in(clip.weights, clip.patches, device).items():
        id, _, own = name.partition(".")
        made.setdefault(id, {})[own] = tensor
    return dict(made)


def vae_weights(vae: Vae) -> Stored:
    """The autoencoder's weights under its own names. Raises: CheckpointError, for one that has none."""
    part: Part[Any] | None = getattr(vae, "part", None)
    if part is None or not part.weights:
        raise CheckpointError("this VAE has no weights of its own that could be saved; choose one that was loaded")
    return part.weights


def as_file(name: str, tensors: Stored) -> TensorFile:
    """What is going to be written, as if it were a file already; a tensor is made when it is asked for."""
    shapes = {each: tuple(tensor.shape) for each, tensor in tensors.items()}
    return TensorFile(Path(name), shapes, {}, lambda names: {each: _made(tensors[each]) for each in names})


def alone(id: str, tensors: Stored) -> Stored:
    """A text encoder under the names it has in a file of its own, transformers'."""
    return {name if name == PROJECTION else f"text_model.{name}": tensor for name, tensor in tensors.items()}


def _text_layout(id: str, family: Family, tensors: Stored) -> Stored:
    if id != "clip_l":
        return _in_open_clip(tensors)
    named = dict(alone(id, tensors))
    if family is sd1.FAMILY:  # as its published files have it, and no later family's
        positions = tensors["embeddings.position_embedding.weight"].shape[0]
        named["text_model.embeddings.position_ids"] = torch.arange(positions)[None]
    return named


def _in_open_clip(tensors: Stored) -> Stored:
    """A text encoder under OpenCLIP's names."""
    made: dict[str, Tensor | Later] = {}
    for name, parts, is_turned in open_clip.originals(tensors):
        given = [tensors[part] for part in parts]
        shape = (sum(each.shape[0] for each in given), *given[0].shape[1:])
        shape = shape[::-1] if is_turned else shape
        made[name] = Later(shape, given[0].dtype, _joining(given, is_turned))
    return made


def _joining(parts: list[Tensor | Later], is_turned: bool) -> Callable[[], Tensor]:
    def make() -> Tensor:
        joined = torch.cat([_made(part).cpu() for part in parts]) if len(parts) > 1 else _made(parts[0])
        return joined.T if is_turned else joined

    return make


def _worked_in(weights: Mapping[str, Tensor], patches: Patches, device: torch.device) -> Stored:
    made: dict[str, Tensor | Later] = {}
    for name, weight in weights.items():
        own = patches.get(name, ())
        if not own:
            made[name] = weight
        elif any(getattr(patch.delta, "reshapes", False) for patch in own):
            made[name] = patched(name, weight, own, device)
        else:
            made[name] = Later(tuple(weight.shape), weight.dtype, _wearing(name, weight, patches, device))
    return made


def _wearing(name: str, weight: Tensor, patches: Patches, device: torch.device) -> Callable[[], Tensor]:
    return lambda: patched(name, weight, patches[name], device)


def save_checkpoint(
    path: Path, tensors: Stored, hints: Hints | None = None, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes a checkpoint; `hints` say what its shapes cannot.

    Raises: PathError, when it cannot be written; nothing half-written is left then.
    """
    save_tensors(path, tensors, {**(metadata or {}), **(hints or Hints()).metadata()})


def save_tensors(path: Path, tensors: Stored, metadata: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file: whole, or not at all. A file that is there already is replaced.

    Raises: PathError.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            write_tensors(file, tensors, metadata)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise PathError(f"{path}: cannot be written ({error}); free some space or choose another folder") from error
    finally:
        _remove(temporary)


def write_tensors(file: BinaryIO, tensors: Stored, metadata: Mapping[str, str] | None = None) -> None:
    """Writes the bytes of a safetensors file, one tensor after the other.

    Raises: CheckpointError, for a number format that such files do not know.
    """
    # Larger numbers first, so that every tensor lies at a multiple of its numbers' size.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt", **(metadata or {})}}
    place = 0
    for name in names:
        each = tensors[name]
        if each.dtype not in _FORMATS:
            raise CheckpointError(f"{name} is stored in {str(each.dtype)[6:]}, which safetensors files do not know")
        end = place + prod(each.shape) * each.dtype.itemsize
        header[name] = {"dtype": _FORMATS[each.dtype], "shape": list(each.shape), "data_offsets": [place, end]}
        place = end
    packed = json.dumps(header).encode()
    packed += b" " * (-len(packed) % 8)
    file.write(struct.pack("<Q", len(packed)) + packed)
    for name in names:
        file.write(_bytes_of(name, tensors[name]))


def _bytes_of(name: str, tensor: Tensor | Later) -> memoryview:
    made = _made(tensor).detach().cpu().contiguous()
    if tuple(made.shape) != tuple(tensor.shape) or made.dtype != tensor.dtype:
        raise CheckpointError(f"{name} became {list(made.shape)} in being saved, expected {list(tensor.shape)}")
    return made.reshape(-1).view(torch.uint8).numpy().data


def _made(tensor: Tensor | Later) -> Tensor:
    return tensor.make() if isinstance(tensor, Later) else tensor


def _remove(path: Path) -> None:
    with suppress(OSError):  # its folder may be the very thing that cannot be used
        path.unlink(missing_ok=True)
