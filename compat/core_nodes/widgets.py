"""Short words for the inputs that core nodes declare."""

from typing import Any

MAX_RESOLUTION = 16384
"""The largest width or height of anything."""

SEED = ("INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True})
STRENGTH = ("FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01})
LORA_STRENGTH = ("FLOAT", {"default": 1.0, "min": -100.0, "max": 100.0, "step": 0.01})
CROP = (["disabled", "center"],)
HIDDEN_INFO = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}


def whole(default: int, low: int = 0, high: int = MAX_RESOLUTION, step: int = 1) -> tuple[str, dict[str, Any]]:
    """A whole number."""
    return ("INT", {"default": default, "min": low, "max": high, "step": step})


def number(default: float, low: float = 0.0, high: float = 1.0, step: float = 0.01) -> tuple[str, dict[str, Any]]:
    """A number."""
    return ("FLOAT", {"default": default, "min": low, "max": high, "step": step})


def wires(**types: str) -> dict[str, Any]:
    """Inputs that only come over wires, by name."""
    return {name: (kind,) for name, kind in types.items()}
