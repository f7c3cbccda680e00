"""Which device does what, where plugins put their own functions in the place of ComfyUI's."""

import sys
from dataclasses import replace

import torch

from compat.originals import is_ours
from engine.devices.device import Devices

_ASKED = {"main": "get_torch_device", "text": "text_encoder_device", "vae": "vae_device"}


def named(devices: Devices) -> Devices:
    """The same devices, or those that plugins' functions name."""
    management = sys.modules.get("comfy.model_management")
    if management is None:
        return devices
    functions = {part: getattr(management, name) for part, name in _ASKED.items()}
    theirs = {part: torch.device(function()) for part, function in functions.items() if not is_ours(function)}
    if "main" in theirs and devices.vae == devices.main:
        theirs.setdefault("vae", theirs["main"])
    return replace(devices, **theirs) if theirs else devices  # type: ignore[arg-type]
