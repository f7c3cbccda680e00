"""Model files as plugins' calls read them."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compat.originals import is_ours
from engine.checkpoints.tensors import TensorFile, in_memory, open_tensors
from engine.errors import CheckpointError


def read(path: str | os.PathLike[str]) -> TensorFile:
    """A file's tensors; by comfy.utils.load_torch_file, where a plugin put its own in its place.

    ComfyUI: packs put a function there for one call of a loader, to hand it tensors that they changed.

    Raises: CheckpointError.
    """
    if not is_read_by_plugins():
        return open_tensors(Path(path))
    found = sys.modules["comfy.utils"].load_torch_file(str(path), safe_load=True)
    tensors, metadata = found if isinstance(found, tuple) else (found, None)
    return in_memory(Path(path).name, tensors, metadata or _metadata(Path(path)))


def is_read_by_plugins() -> bool:
    """Whether a plugin put its own function in the place of comfy.utils.load_torch_file."""
    module = sys.modules.get("comfy.utils")
    return module is not None and not is_ours(module.load_torch_file)


def _metadata(path: Path) -> Mapping[str, Any]:
    """What the file says of itself, which a plugin's function is not asked for; nothing, where it is of their kind."""
    try:
        return open_tensors(path).metadata if path.suffix.lower() in (".safetensors", ".sft") else {}
    except CheckpointError:
        return {}
