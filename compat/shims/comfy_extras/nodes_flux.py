"""ComfyUI's nodes for Flux. Source: node_behaviour.md 10."""

from typing import Any

import node_helpers

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, wires


class FluxGuidance:
    """Says how strongly a distilled model should follow the text."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "append"
    CATEGORY = "advanced/conditioning/flux"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(conditioning="CONDITIONING"), "guidance": number(3.5, 0.0, 100.0, 0.1)}}

    @classmethod
    def execute(cls, conditioning: Any, guidance: float) -> Output:
        """Every entry with this guidance."""
        return Output(node_helpers.conditioning_set_values(conditioning, {"guidance": guidance}))

    append = execute
