"""ComfyUI's guidance by attention that is switched off. Source: node_behaviour.md 8."""

from typing import Any

from compat.core_nodes import built_in
from compat.host import host
from compat.missing import missing


def __getattr__(name: str) -> Any:
    if name == "PerturbedAttentionGuidance":
        return built_in.class_of(host().registry[name])
    raise missing(__name__, name)
