"""Attributes by their dotted path ("diffusion_model.input_blocks.0.0.weight"), read and replaced."""

from typing import Any

from torch import nn

NOT_ITS_OWN = object()
"""In the place of a former value: the object had none of its own, only its class had."""


def get(root: object, name: str) -> Any:
    """The attribute at a path. Raises: AttributeError."""
    found = root
    for part in name.split("."):
        found = getattr(found, part)
    return found


def put(root: object, name: str, value: Any) -> None:
    """Replaces the attribute at a path; NOT_ITS_OWN takes the object's own away, so that the class's shows again."""
    head, _, last = name.rpartition(".")
    owner = get(root, head) if head else root
    if value is NOT_ITS_OWN:
        delattr(owner, last)
        return
    if isinstance(owner, nn.Module) and last in owner._modules and not isinstance(value, nn.Module | None):
        del owner._modules[last]
    elif isinstance(owner, nn.Module) and last in owner._parameters and not isinstance(value, nn.Parameter | None):
        del owner._parameters[last]
    setattr(owner, last, value)


def own(root: object, name: str) -> Any:
    """What `put` needs to bring back the present state: the value, or NOT_ITS_OWN."""
    head, _, last = name.rpartition(".")
    owner = get(root, head) if head else root
    if last.startswith("__"):
        return getattr(owner, last)
    kept = [vars(owner)] if hasattr(owner, "__dict__") else []
    if isinstance(owner, nn.Module):
        kept += [owner._modules, owner._parameters, owner._buffers]
    return next((each[last] for each in kept if last in each), NOT_ITS_OWN)
