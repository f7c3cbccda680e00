"""Nodes that let what CLIP saw in a picture guide another, in models trained for it (unCLIP)."""

from typing import Annotated

from engine.graph.define import Widget, node
from nodes.convert import need_seen
from nodes.types import ClipVisionOutput, Conditioning

Weight = Annotated[float, Widget(min=-10.0, max=10.0, step=0.01, tooltip="How much the picture counts.")]
Augmentation = Annotated[
    float, Widget(min=0.0, max=1.0, step=0.01, tooltip="How far what is drawn may stray from the picture.")
]


@node("unCLIPConditioning", category="conditioning")
def unclip_conditioning(
    *,
    conditioning: Conditioning,
    clip_vision_output: ClipVisionOutput,
    strength: Weight = 1.0,
    noise_augmentation: Augmentation = 0.0,
) -> Conditioning:
    """Let what a picture shows guide a model that draws after pictures; several add up."""
    if strength == 0:
        return conditioning
    need_seen(clip_vision_output, "clip_vision_output")
    seen = {
        "clip_vision_output": clip_vision_output,
        "strength": strength,
        "noise_augmentation": noise_augmentation,
    }
    return [
        [tokens, {**known, "unclip_conditioning": [*known.get("unclip_conditioning", ()), seen]}]
        for tokens, known in conditioning
    ]
