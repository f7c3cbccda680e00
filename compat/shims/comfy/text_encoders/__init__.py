"""ComfyUI's place for text encoders, one module per family."""

from comfy.text_encoders import flux, long_clipl, sd2_clip, sd3_clip

__all__ = ["flux", "long_clipl", "sd2_clip", "sd3_clip"]
