"""ComfyUI's place for tiny autoencoders."""

from comfy.taesd import taesd

__all__ = ["taesd"]
