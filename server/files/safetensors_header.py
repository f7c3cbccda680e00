"""The texts in the header of a safetensors file, read without touching a tensor and trusting no length."""

import json
from pathlib import Path
from typing import Any

LARGEST_HEADER = 32 << 20  # bytes; the largest seen are about 5 MB, of LoRAs that carry their training's captions


def read_metadata(path: Path) -> dict[str, Any] | None:
    """What the file's author wrote into it (`__metadata__`); None when there is nothing, or it is no such file."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(LARGEST_HEADER, path.stat().st_size - 8):
                return None
            header = json.loads(file.read(length), parse_constant=lambda word: None)
    except (OSError, ValueError, RecursionError):
        return None
    found = header.get("__metadata__") if isinstance(header, dict) else None
    return found if isinstance(found, dict) else None
