"""Nodes that make pictures a part of a text: style models and PhotoMaker."""

from typing import Annotated, Any, Literal

from engine import values
from engine.adapters import picture_texts
from engine.adapters.picture_texts import Faces, Style
from engine.checkpoints import image_prompts
from engine.checkpoints.load import Loader
from engine.errors import CheckpointError, SamplingError
from engine.folders import Folders
from engine.graph.define import Files, Widget, node
from engine.graph.run import Run
from nodes.convert import encoded, naming, need_clip, need_colours, text_conditioning
from nodes.types import Clip, ClipVisionOutput, Conditioning, Image, PhotoMaker, StyleModel

StyleModelName = Annotated[str, Files("style_models", tooltip="A file of models/style_models.")]
PhotoMakerName = Annotated[str, Files("photomaker", tooltip="A file of models/photomaker.")]
Text = Annotated[str, Widget(multiline=True, dynamicPrompts=True)]


@node("StyleModelLoader", category="loaders", display_name="Load Style Model")
def style_model_loader(*, style_model_name: StyleModelName, folders: Folders, loader: Loader) -> StyleModel:
    """Load a style adapter, which turns what CLIP sees in a picture into a part of a text."""
    with naming("style_model_name"):
        path = folders.path("style_models", style_model_name)
        return Style(image_prompts.style_model(path, loader.devices.place("text")), loader.keeper)


@node("StyleModelApply", category="conditioning/style_model", display_name="Apply Style Model")
def style_model_apply(
    *,
    conditioning: Conditioning,
    style_model: StyleModel,
    clip_vision_output: ClipVisionOutput,
    strength: Annotated[float, Widget(min=0.0, max=10.0, step=0.001, tooltip="1 is the normal weight.")] = 1.0,
    strength_type: Literal["multiply", "attn_bias"],
) -> Conditioning:
    """Let a picture's style guide beside the text. Needs a CLIP vision model ViT-L."""
    if getattr(clip_vision_output, "last_hidden_state", None) is None:
        raise SamplingError("clip_vision_output: expected what CLIPVisionEncode saw in a picture")
    with naming("clip_vision_output", CheckpointError):
        style = style_model.get_cond(clip_vision_output)
    return picture_texts.styled(conditioning, style, strength, strength_type == "attn_bias")


@node("PhotoMakerLoader", category="_for_testing/photomaker", is_experimental=True)
def photo_maker_loader(*, photomaker_model_name: PhotoMakerName, folders: Folders, loader: Loader) -> PhotoMaker:
    """Load PhotoMaker, which draws a person by a photograph."""
    with naming("photomaker_model_name"):
        path = folders.path("photomaker", photomaker_model_name)
        return Faces(image_prompts.photomaker(path, loader.devices.place("text")), loader.keeper)


@node("PhotoMakerEncode", category="_for_testing/photomaker", is_experimental=True)
def photo_maker_encode(
    *, photomaker: PhotoMaker, image: Image, clip: Clip, text: Text = "photograph of photomaker", run: Run
) -> Conditioning:
    """Turn a text into what guides the picture, the word before "photomaker" being the person in the photograph.

    image: one photograph, or several of the same person as a batch, which together show them better.
    """
    place = picture_texts.place_of_trigger(text)
    if place is None:
        return text_conditioning(need_clip(clip), text, run.stop_if_cancelled)
    own: Any = need_clip(clip)
    if not isinstance(own, values.Clip):
        raise SamplingError("clip: a plugin changed this text encoder in a way that PhotoMaker cannot follow")
    with naming("clip", CheckpointError):
        return encoded(*picture_texts.encoded_with_face(own, text, photomaker, need_colours(image, "image"), place))
