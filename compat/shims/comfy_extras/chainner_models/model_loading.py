"""ComfyUI's old way to load an upscaler; spandrel does the work."""

from collections.abc import Mapping
from typing import Any

from compat.core_nodes.upscalers import descriptor


def load_state_dict(state_dict: Mapping[str, Any]) -> Any:
    """The upscaler of these weights: spandrel's descriptor, in eval mode. Raises: LatentwireError without spandrel."""
    return descriptor(state_dict).eval()
