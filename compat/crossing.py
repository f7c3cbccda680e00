"""The border between our nodes and authors' classes: values change their clothes here and nowhere else.

Our wires carry engine.values.Model, Clip, Vae …; authors expect objects with ComfyUI's members (ModelPatcher, CLIP,
VAE, ControlNet). `enter` makes the second from the first when an author's function is called, `leave` the first from
the second when it has answered. Tensors, latents and plain values cross as they are. Each kind is registered by the
module that knows it (compat/crossings/), so this one knows none.
"""

from functools import singledispatch
from typing import Any


@singledispatch
def enter(value: Any) -> Any:
    """What an author's code is handed for a value that came over a wire.

    The same value enters as the same object, so that plugins can recognise it.
    """
    return value


@singledispatch
def leave(value: Any) -> Any:
    """What goes on over the wire for a value that an author's code returned."""
    return value
