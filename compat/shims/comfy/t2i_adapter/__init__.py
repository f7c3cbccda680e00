"""ComfyUI's place for T2I-Adapter networks."""

from comfy.t2i_adapter import adapter

__all__ = ["adapter"]
