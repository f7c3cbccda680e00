"""Weights files: names and shapes first, the tensors when they are needed, and never anything that runs.

A safetensors file is mapped into memory, so opening a large one costs nothing. Files of torch.save are read with the
unpickler that makes tensors and plain containers only. Files are told apart by what is in them, not by their names.
"""

import json
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.errors import CheckpointError

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

_LONGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors format itself
_LARGEST_PICKLE = 64 << 20  # bytes of names and shapes beside the tensors; published checkpoints have less than one MiB
_DAMAGE = (
    SafetensorError,
    RuntimeError,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    AttributeError,
    TypeError,
    ArithmeticError,
    AssertionError,
    struct.error,
)
"""What torch and pickle raise when they meet damaged bytes."""

_AGAIN = "the download was probably cut short or replaced; fetch the file again"


@dataclass(frozen=True)
class TensorFile:
    """What is in a weights file: names and shapes at once, tensors on demand."""

    path: Path
    shapes: Shapes
    metadata: Mapping[str, str]
    load: Callable[[Iterable[str]], dict[str, Tensor]] = field(repr=False)

    def read(self, prefix: str = "") -> dict[str, Tensor]:
        """The tensors whose names begin like this, under the rest of their names, as the file stores them."""
        names = [name for name in self.shapes if name.startswith(prefix)]
        return {name[len(prefix) :]: tensor for name, tensor in self.load(names).items()}

    def below(self, prefix: str) -> dict[str, Shape]:
        """The shapes of the tensors whose names begin like this, under the rest of their names."""
        return {name[len(prefix) :]: shape for name, shape in self.shapes.items() if name.startswith(prefix)}


def in_memory(name: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> TensorFile:
    """Tensors that somebody has read already, as if they were a file of this name."""
    known = dict(tensors)
    shapes = {each: tuple(tensor.shape) for each, tensor in known.items()}
    return TensorFile(Path(name), shapes, metadata or {}, lambda names: {each: known[each] for each in names})


def open_tensors(path: Path) -> TensorFile:
    """Opens a weights file and tells what is in it.

    Raises: CheckpointError, saying what is wrong and what to do, for a file that is missing, damaged or unsafe.
    """
    start = _first_bytes(path)
    if _is_safetensors(start):
        return _open_safetensors(path)
    content = read_object(path)
    tensors = unwrapped(content)
    if not tensors:
        raise CheckpointError(f"{path.name}: no tensors inside, so it is not a file of weights")
    return replace(in_memory(path.name, tensors), path=path)


def read_object(path: Path) -> Any:
    """Whatever a weights file holds, nesting and all; a safetensors file is a dict of tensors.

    Raises: CheckpointError.
    """
    start = _first_bytes(path)
    if _is_safetensors(start):
        return _open_safetensors(path).read()
    is_zip = _is_archive(path)
    if not is_zip and not start.startswith(b"\x80"):
        raise CheckpointError(f"{path.name}: neither safetensors nor a file of torch.save; {_AGAIN}")
    if is_zip:
        _check_archive(path)
    try:
        return _unpickled(path, is_zip)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_unpickling_message(path, error)) from error
    except _DAMAGE as error:
        raise CheckpointError(f"{path.name}: damaged ({_first_line(error)}); {_AGAIN}") from error


def _unpickled(path: Path, is_zip: bool) -> Any:
    with warnings.catch_warnings(), torch.serialization.safe_globals(_HARMLESS):
        # What torch warns of here is either harmless or fails right after, and then we say it in our words.
        warnings.simplefilter("ignore", UserWarning)
        if not path.name.endswith(".safetensors"):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
        # Newer torch goes by the end of a path's name; from an open file it goes by what is in it, but cannot map it.
        with path.open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)


def _is_archive(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except (zipfile.BadZipFile, *_DAMAGE) as error:
        raise CheckpointError(f"{path.name}: damaged ({_first_line(error)}); {_AGAIN}") from error


def _check_archive(path: Path) -> None:
    """Refuses an archive that could unpack to far more than its size. Raises: CheckpointError."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, *_DAMAGE) as error:
        raise CheckpointError(f"{path.name}: damaged ({_first_line(error)}); {_AGAIN}") from error
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise CheckpointError(
                f"{path.name}: {entry.filename} is compressed to {entry.compress_size:,} of {entry.file_size:,} bytes, "
                "which torch.save never does, so it was not opened; get a .safetensors version of this file"
            )
        if entry.filename.endswith("data.pkl") and entry.file_size > _LARGEST_PICKLE:
            raise CheckpointError(
                f"{path.name}: its list of tensors has {entry.file_size:,} bytes; expected {_LARGEST_PICKLE:,} "
                "at most, so it was not opened; get a .safetensors version of this file"
            )


def unwrapped(content: Any) -> dict[str, Tensor]:
    """The tensors of a training framework's file, without the wrapping around them.

    Source: node_behaviour.md 0.7: the entry `state_dict`, else the only entry if that is a dict, else all of it.
    """
    if not isinstance(content, Mapping):
        return {}
    values = list(content.values())
    if isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    elif len(values) == 1 and isinstance(values[0], Mapping):
        content = values[0]
    return {str(name): value.detach() for name, value in content.items() if isinstance(value, Tensor)}


def _first_bytes(path: Path) -> bytes:
    """The start of a file. Raises: CheckpointError when there is none, or when it plainly is something else."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read ({error.strerror or error}); check the file") from error
    if not start:
        raise CheckpointError(f"{path.name}: the file is empty; {_AGAIN}")
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise CheckpointError(f"{path.name}: a web page, not weights; log in where it came from and fetch it again")
    if text.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path.name}: a git-lfs pointer, not the weights; run 'git lfs pull' or fetch the file")
    return start


def _is_safetensors(start: bytes) -> bool:
    return len(start) >= 9 and start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] <= _LONGEST_HEADER


def _open_safetensors(path: Path) -> TensorFile:
    header = _header(path)
    metadata = header.pop("__metadata__", None) or {}
    shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}

    def read(names: Iterable[str]) -> dict[str, Tensor]:
        try:
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in names}
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path.name}: damaged ({_first_line(error)}); {_AGAIN}") from error

    return TensorFile(path, shapes, metadata, read)


def _header(path: Path) -> dict[str, Any]:
    """Names, shapes and places of the tensors. Raises: CheckpointError when the file does not hold what it promises."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        text = file.read(length)
        size = file.seek(0, 2)
    if len(text) < length:
        raise CheckpointError(f"{path.name}: cut off after {size:,} bytes, in its list of tensors; {_AGAIN}")
    try:
        header: dict[str, Any] = json.loads(text)
        end = max((int(e["data_offsets"][1]) for name, e in header.items() if name != "__metadata__"), default=0)
        wrong = [name for name, e in header.items() if name != "__metadata__" and not _is_shape(e["shape"])]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise CheckpointError(
            f"{path.name}: its list of tensors is garbled ({_first_line(error)}); {_AGAIN}"
        ) from error
    if wrong:
        raise CheckpointError(f"{path.name}: {wrong[0]!r} has an impossible shape; {_AGAIN}")
    missing = 8 + length + end - size
    if missing > 0:
        raise CheckpointError(f"{path.name}: cut off, {missing:,} of {size + missing:,} bytes are missing; {_AGAIN}")
    return header


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(n, int) and n >= 0 for n in value)


def _unpickling_message(path: Path, error: pickle.UnpicklingError) -> str:
    name = re.search(r"(?:GLOBAL|global) ([\w.]+)", str(error))
    if name is None:
        # Nothing of torch's own text: it advises to open the file unsafely.
        return (
            f"{path.name}: damaged, or holds what a file of weights never does; nothing of it was run; "
            "fetch the file again, or get a .safetensors version of it"
        )
    return (
        f"{path.name}: asks to run code when it is opened ({name.group(1)}), which was refused and not run; "
        "get a .safetensors version of this file, or do not trust it"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


class _Callback:
    """Stands in for a training callback that old checkpoints name as the key of their bookkeeping."""


_SCALAR: Any = np.float64(0).__reduce__()[0]
_HARMLESS: list[Any] = [
    (_Callback, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"),
    *[(_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")],
    np.dtype,
    *[type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32", "bool")],
]
"""What the published checkpoints of Stable Diffusion 1 and 2 name besides tensors: loss values and a callback."""
