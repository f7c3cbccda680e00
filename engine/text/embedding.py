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

        Returns: float32 [n, D]; D is not checked, the encoder says so when it does not fit.
        """
        path = self._path(name)
        if path is None:
            return None
        try:
            return vectors(self._read(path), encoder, width)
        except LatentwireError as error:
            salvaged = raw_vectors(path, width)
            state = "is left out" if salvaged is None else "is read without what describes it"
            log.warning("the embedding %r %s: %s", name, state, error)
            return salvaged

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
    found = list(_tensors(content, encoder, width))
    rows = [tensor.detach().float().reshape(-1, tensor.shape[-1]) for tensor in found if tensor.ndim > 0]
    return torch.cat(rows) if rows else None


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


def _tensors(content: Any, encoder: str, width: int) -> Iterator[Tensor]:
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
