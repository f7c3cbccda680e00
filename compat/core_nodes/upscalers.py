"""Upscaling networks, which the package spandrel knows; it is optional (`pip install latentwire[upscale]`)."""

import importlib
from collections.abc import Mapping
from typing import Any

from engine.errors import LatentwireError

_SWIN_IR = "module.layers.0.residual_group.blocks.0.norm1.weight"


def descriptor(weights: Mapping[str, Any]) -> Any:
    """spandrel's description of the network that these weights belong to.

    Raises: LatentwireError, when spandrel is not installed; spandrel's own errors for weights it does not know.
    """
    try:
        spandrel = importlib.import_module("spandrel")
    except ModuleNotFoundError as error:
        raise LatentwireError(
            "upscale models need the package spandrel, which is not installed; run: pip install spandrel"
        ) from error
    if _SWIN_IR in weights:  # trained on several GPUs
        weights = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    return spandrel.ModelLoader().load_from_state_dict(dict(weights))


def picture_upscaler(weights: Mapping[str, Any]) -> Any:
    """The same, in eval mode. Raises: LatentwireError, for a network that does not turn one picture into one."""
    found = descriptor(weights).eval()
    # spandrel's name for those; its class is not imported, as a plugin may bring a descriptor of its own.
    if type(found).__name__ != "ImageModelDescriptor":
        raise LatentwireError(
            f"Upscale model must be a single-image model, got {type(found).__name__}; choose a file of another kind"
        )
    return found
