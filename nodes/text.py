"""Nodes that turn text into what guides a picture."""

from typing import Annotated

from engine.graph.define import Widget, node
from engine.graph.run import Run
from nodes.convert import naming, need_clip, text_conditioning, texts_conditioning, with_options
from nodes.types import MAX_SIDE, Clip, Conditioning

Prompt = Annotated[str, Widget(multiline=True, dynamicPrompts=True)]
Pixels = Annotated[int, Widget(min=0, max=MAX_SIDE, tooltip="In pixels.")]
Score = Annotated[float, Widget(min=0.0, max=1000.0, step=0.01, tooltip="How beautiful, from 1 to 10.")]
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


@node("CLIPTextEncodeSDXL", category="advanced/conditioning")
def clip_text_encode_sdxl(
    *,
    clip: Clip,
    width: Pixels = 1024,
    height: Pixels = 1024,
    crop_w: Pixels = 0,
    crop_h: Pixels = 0,
    target_width: Pixels = 1024,
    target_height: Pixels = 1024,
    text_g: Prompt,
    text_l: Prompt,
    run: Run,
) -> Conditioning:
    """Let a text guide SDXL, told of sizes: those of a picture before it was scaled, where it was cut, the result's.

    text_g: for the large text encoder; text_l: for the small one.
    """
    texts = {"clip_g": text_g, "clip_l": text_l}
    made = texts_conditioning(need_clip(clip), texts, run.stop_if_cancelled)
    sizes = {"width": width, "height": height, "crop_w": crop_w, "crop_h": crop_h}
    return with_options(made, **sizes, target_width=target_width, target_height=target_height)


@node("CLIPTextEncodeSDXLRefiner", category="advanced/conditioning")
def clip_text_encode_sdxl_refiner(
    *, ascore: Score = 6.0, width: Pixels = 1024, height: Pixels = 1024, text: Prompt, clip: Clip, run: Run
) -> Conditioning:
    """Let a text guide SDXL's refiner, told how large and how beautiful the picture is to be."""
    encoder = need_clip(clip)
    with naming("text"):
        made = text_conditioning(encoder, text, run.stop_if_cancelled)
    return with_options(made, aesthetic_score=ascore, width=width, height=height)
