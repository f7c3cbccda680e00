"""Small functions of the latent diffusion code that plugins import."""

from typing import Any


def exists(x: Any) -> bool:
    """Whether there is something."""
    return x is not None


def default(val: Any, d: Any) -> Any:
    """The value, or another (perhaps made by a function) where there is none."""
    if exists(val):
        return val
    return d() if callable(d) else d


def count_params(model: Any, verbose: bool = False) -> int:
    """How many numbers a network has learned."""
    return sum(p.numel() for p in model.parameters())
