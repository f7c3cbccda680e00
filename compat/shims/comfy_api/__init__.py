"""ComfyUI's typed interface for authors of nodes ("V3"); `latest` is what plugins import."""

import importlib
import importlib.util

from compat.missing import missing


def __getattr__(name: str) -> object:
    if not name.startswith("__") and importlib.util.find_spec(f"{__name__}.{name}") is not None:
        return importlib.import_module(f"{__name__}.{name}")
    raise missing(__name__, name)
