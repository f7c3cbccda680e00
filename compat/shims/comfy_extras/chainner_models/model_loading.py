"""ComfyUI's old way to load an upscaler."""

from collections.abc import Mapping
from typing import Any

from engine.checkpoints import upscalers


def load_state_dict(state_dict: Mapping[str, Any]) -> Any:
    """The upscaler of these weights: ours, or spandrel's descriptor with the same members. Raises: LatentwireError."""
    return upscalers.read("the upscale model", upscalers.plain(state_dict))
