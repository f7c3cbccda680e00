"""ComfyUI's place for ControlNet networks."""

from comfy.cldm import cldm, control_types

__all__ = ["cldm", "control_types"]
