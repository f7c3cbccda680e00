"""Nodes that turn text into what guides a picture."""

from typing import Annotated

from engine.graph.define import Widget, node
from engine.graph.run import Run
from nodes.convert import naming, need_clip, text_conditioning
from nodes.types import Clip, Conditioning

Prompt = Annotated[str, Widget(multiline=True, dynamicPrompts=True)]
Layer = Annotated[int, Widget(min=-24, max=-1, step=1)]


@node("CLIPTextEncode", category="conditioning", display_name="CLIP Text Encode (Prompt)")
def clip_text_encode(*, text: Prompt, clip: Clip, run: Run) -> Conditioning:
    """Let a text guide the picture.

    text: what to draw; (red:1.3) weighs more, \\( and \\) are plain brackets, embedding:name inserts a learned word.
    """
    encoder = need_clip(clip)
    with naming("text"):
        return text_conditioning(encoder, text, run.stop_if_cancelled)


@node("CLIPSetLastLayer", category="conditioning", display_name="CLIP Set Last Layer")
def clip_set_last_layer(*, clip: Clip, stop_at_clip_layer: Layer = -1) -> Clip:
    """Take the text as an earlier layer of the encoder understands it ("clip skip").

    stop_at_clip_layer: -1 is the last layer, -2 the one before it.
    """
    return need_clip(clip).with_last_layer(stop_at_clip_layer)
