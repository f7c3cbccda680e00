"""What plugins put on our wires without using any of ComfyUI's classes: known by what it can do.

An author's object that is wrapped here by mistake loses nothing: it enters again as itself.
"""

from typing import Any

from torch import nn

from compat.crossing import leave
from compat.crossings.control import AuthorsControl, is_control
from compat.crossings.noise import is_noise, left
from compat.crossings.vae import AuthorsVae, is_vae
from compat.crossings.vision import AuthorsVision, is_vision


@leave.register(object)
def _(value: Any) -> Any:
    if is_control(value):
        return AuthorsControl(value)
    if is_vision(value):
        return AuthorsVision(value)
    if is_noise(value):
        return left(value)
    # A bare network is no VAE yet, and a tokenizer is none though it encodes and decodes.
    says_ratio = any(hasattr(value, name) for name in ("spacial_compression_encode", "downscale_ratio"))
    if is_vae(value) and not hasattr(value, "vocab_size") and (says_ratio or not isinstance(value, nn.Module)):
        return AuthorsVae(value)
    return value
