"""Nodes that look at pictures as CLIP does."""

from typing import Annotated, Literal

import torch

from engine.checkpoints.load import Loader
from engine.errors import SamplingError
from engine.folders import Folders
from engine.graph.define import Files, node
from nodes.convert import naming, need_clip_vision, need_colours, sound
from nodes.types import ClipVision, ClipVisionOutput, Image

ClipVisionName = Annotated[str, Files("clip_vision", tooltip="A file of models/clip_vision.")]


@node("CLIPVisionLoader", category="loaders", display_name="Load CLIP Vision")
def clip_vision_loader(*, clip_name: ClipVisionName, folders: Folders, loader: Loader) -> ClipVision:
    """Load what looks at pictures: a CLIP vision model (ViT-L, H or bigG), or SigLIP's."""
    with naming("clip_name"):
        return loader.clip_vision(folders.path("clip_vision", clip_name))


@node("CLIPVisionEncode", category="conditioning", display_name="CLIP Vision Encode")
def clip_vision_encode(*, clip_vision: ClipVision, image: Image, crop: Literal["center", "none"]) -> ClipVisionOutput:
    """Look at pictures, for what they can guide: a style model, an unCLIP model.

    crop: "center" sees the middle square, "none" the whole picture, stretched.
    """
    with naming("clip_vision"):
        eyes = need_clip_vision(clip_vision)
    picture = sound(need_colours(image, "image"), "image")
    seen = eyes.look(picture, crop == "center")
    if not bool(torch.isfinite(seen.image_embeds).all()):
        raise SamplingError("clip_vision: it answers with values that are no numbers; its file is damaged")
    return seen
