"""ComfyUI's node that shows the first steps a smaller picture. Source: node_behaviour.md 8."""

from typing import Any

from compat.core_nodes import built_in
from compat.host import host
from compat.missing import missing


def __getattr__(name: str) -> Any:
    if name == "PatchModelAddDownscale":
        return built_in.class_of(host().registry[name])
    raise missing(__name__, name)
