"""ComfyUI keeps results under names of its own here; ours are in engine.graph.cache, and no plugin needs them."""

from typing import Any

from compat.missing import missing


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
