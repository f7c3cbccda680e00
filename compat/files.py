"""Model files as plugins' calls read them."""

import os
from pathlib import Path

import comfy.utils

from compat.originals import is_ours
from engine.checkpoints.tensors import TensorFile, in_memory, open_tensors


def read(path: str | os.PathLike[str]) -> TensorFile:
    """A file's tensors; by comfy.utils.load_torch_file, where a plugin put its own in its place.

    ComfyUI: packs put a function there for one call of a loader, to hand it tensors that they changed.

    Raises: CheckpointError.
    """
    if is_ours(comfy.utils.load_torch_file):
        return open_tensors(Path(path))
    tensors = comfy.utils.load_torch_file(str(path), safe_load=True)
    return in_memory(Path(path).name, tensors[0] if isinstance(tensors, tuple) else tensors)
