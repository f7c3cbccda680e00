"""ComfyUI's `comfy_extras`: core nodes outside of `nodes`, as plugins import them.

Classes have both ComfyUI's older method names and `execute`; what they return can be indexed either way.
"""

import importlib
import importlib.util
from typing import Any

from compat.missing import missing


def __getattr__(name: str) -> Any:
    if not name.startswith("__") and importlib.util.find_spec(f"{__name__}.{name}") is not None:
        return importlib.import_module(f"{__name__}.{name}")
    raise missing(__name__, name)
