"""Learned words (textual inversion): `embedding:NAME` in a prompt, from files in many shapes.

What a file holds is decided here; how it is read safely is handed over by the checkpoint room.
Source: design/node_behaviour.md D.
"""

import logging
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import LatentwireError

log = logging.getLogger(__name__)

SUFFIXES = ("", ".safetensors", ".pt", ".bin")
"""What may be added to a name to find its file, in this order."""

CLIP_WIDTHS = (768, 1024)
"""The widths that embeddings without a description may have."""

LARGEST_ENTRY = 64 << 20  # bytes; thousands of vectors, and too little to fill a memory with

Read = Callable[[Path], Any]
"""Reads a weights file without running anything in it."""

Folders = Sequence[Path] | Callable[[], Sequence[Path]]


class Embeddings:
    """The embeddings folders, asked for vectors by name; `folders` may be a function that says which they are now.

    `encoder` is the name that files use for the text encoder in question (clip_l, clip_g, clip_h, t5xxl).
    """

    def __init__(self, folders: Folders, read: Read) -> None:
        self._folders = folders
        self._read = read

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the files are."""
        return tuple(self._folders() if callable(self._folders) else self._folders)

    def find(self, name: str, encoder: str, width: int) -> Tensor | None:
        """The learned vectors of a name, or None, with a warning, when there is no such file or it is unusable.

        Returns: float32 [n, D]. Vectors of another width come with a warning; the encoder puts padding in their place.
        """
        path = self._path(name)
        if path is None:
            return None
        try:
            found = vectors(self._read(path), encoder, width)
        except LatentwireError as error:
            found = raw_vectors(path, width)
            state = "is left out" if found is None else "is read without what describes it"
            log.warning("the embedding %r %s: %s", name, state, error)
            return found
        problem = _problem(found, encoder, width)
        if problem is not None:
            log.warning("the embedding %r (%s) is left out: %s", name, path.name, problem)
        return found if found is not None and bool(torch.isfinite(found).all()) else None

    def _path(self, name: str) -> Path | None:
        for folder in self.folders:
            for place in (folder, *_below(folder)):
                for suffix in SUFFIXES:
                    path = place / (name + suffix)
                    if _is_file_inside(path, folder):
                        return path
        log.warning("there is no embedding named %.80r in %s", name, ", ".join(map(str, self.folders)) or "any folder")
        return None


def vectors(content: Any, encoder: str, width: int) -> Tensor | None:
    """The vectors for one text encoder in what an embedding file holds, or None when it holds none.

    Returns: float32 [n, D].
    """
    found = [tensor for tensor in _tensors(content, encoder, width) if isinstance(tensor, Tensor) and tensor.ndim > 0]
    rows = [tensor.detach().float().reshape(-1, tensor.shape[-1]) for tensor in found if tensor.numel() > 0]
    if len({row.shape[1] for row in rows}) > 1:  # words for several encoders in one file
        rows = [row for row in rows if row.shape[1] == width]
    return torch.cat(rows) if rows else None


def _problem(found: Tensor | None, encoder: str, width: int) -> str | None:
    """Why the vectors of a file cannot be used, or None when they can."""
    if found is None:
        return f"no vectors for {encoder} in it"
    if found.shape[1] != width:
        return f"its vectors are {found.shape[1]} wide, {encoder} reads {width}; it was made for another model family"
    return None if bool(torch.isfinite(found).all()) else "it holds values that are no numbers (NaN or infinite)"


def raw_vectors(path: Path, width: int) -> Tensor | None:
    """The vectors in a file of torch.save whose description cannot be read: its float32 numbers, row by row.

    Nothing but numbers is looked at, so nothing in the file can run.
    Returns: float32 [n, D], or None when no entry's size is a whole number of rows of a CLIP width.
    """
    if width not in CLIP_WIDTHS or not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if "/data/" in name]
            entries = [archive.read(name) for name in names if archive.getinfo(name).file_size <= LARGEST_ENTRY]
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return None
    rows = [entry for entry in entries if entry and len(entry) % (4 * width) == 0]
    return torch.frombuffer(bytearray(rows[0]), dtype=torch.float32).reshape(-1, width) if rows else None


def _tensors(content: Any, encoder: str, width: int) -> Iterator[Any]:
    """What to join, by the first rule that fits the file."""
    if isinstance(content, Tensor):
        yield content
    elif isinstance(content, (list, tuple)):
        values = (value for entry in content if isinstance(entry, Mapping) for value in entry.values())
        yield from (value for value in values if isinstance(value, Tensor) and value.shape[-1:] == (width,))
    elif isinstance(content, Mapping) and isinstance(content.get("string_to_param"), Mapping):
        yield from _first(content["string_to_param"])
    elif isinstance(content, Mapping) and encoder in content:
        yield content[encoder]
    elif isinstance(content, Mapping) and any(str(key).startswith("bundle_emb.") for key in content):
        wanted = tuple(key for key in content if ".string_to_param." in key or key.endswith(f".{encoder}"))
        yield from (content[key] for key in wanted if key.startswith("bundle_emb."))
    elif isinstance(content, Mapping):
        yield from _first(content)


def _first(content: Mapping[Any, Any]) -> Iterator[Tensor]:
    yield from [value for value in content.values() if isinstance(value, Tensor)][:1]


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_dir())


def _is_file_inside(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError):
        return False  # a name no file can have: too long, or with a NUL
