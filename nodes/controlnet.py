"""Nodes that let a picture of edges, depth, a pose … guide the drawing.

Source: node_behaviour.md 1.3.
"""

from typing import Annotated, Any, NamedTuple

from torch import Tensor

from engine.checkpoints.load import Loader
from engine.conditioning import ControlHint
from engine.errors import ImageError
from engine.folders import Folders
from engine.graph.define import Choices, Files, node
from engine.graph.run import Run
from engine.images import resize
from nodes.convert import naming, need_clip, need_colours, need_image, need_mask, sound, text_conditioning, with_control
from nodes.text import Prompt
from nodes.types import Clip, Conditioning, ControlNet, Image, Mask, Model, Percent, Strength, Vae

ControlNetName = Annotated[str, Files("controlnet", tooltip="A file of models/controlnet.")]

KINDS = (
    "openpose",
    "depth",
    "hed/pidi/scribble/ted",
    "canny/lineart/anime_lineart/mlsd",
    "normal",
    "segment",
    "tile",
    "repaint",
)
"""The kinds of hint that union nets tell apart, by their place."""

AUTO = "auto"


class Both(NamedTuple):
    """Both sides of the guidance."""

    positive: Conditioning
    negative: Conditioning


@node("ControlNetLoader", category="loaders", display_name="Load ControlNet Model")
def control_net_loader(*, control_net_name: ControlNetName, folders: Folders, loader: Loader) -> ControlNet:
    """Load a ControlNet, a control-LoRA or a T2I-Adapter."""
    with naming("control_net_name"):
        return loader.controlnet(folders.path("controlnet", control_net_name))


@node("DiffControlNetLoader", category="loaders", display_name="Load ControlNet Model (diff)")
def diff_control_net_loader(
    *, model: Model, control_net_name: ControlNetName, folders: Folders, loader: Loader
) -> ControlNet:
    """Load a ControlNet whose file only holds the difference to this model."""
    with naming("control_net_name"):
        return loader.controlnet(folders.path("controlnet", control_net_name), model)


@node("SetUnionControlNetType", category="conditioning/controlnet")
def set_union_control_net_type(
    *, control_net: ControlNet, type: Annotated[str, Choices((AUTO, *KINDS), tooltip="What the hints are.")]
) -> ControlNet:
    """Tell a ControlNet that knows several kinds of hints which kind it gets."""
    return control_net.of_kind(*(() if type == AUTO else (KINDS.index(type),)))


@node("ControlNetApply", category="conditioning/controlnet", display_name="Apply ControlNet (OLD)", is_deprecated=True)
def control_net_apply(
    *, conditioning: Conditioning, control_net: ControlNet, image: Image, strength: Strength = 1.0
) -> Conditioning:
    """Let a hint guide the drawing, the negative side by the same hint."""
    if strength == 0:
        return conditioning
    hint = ControlHint(control_net, _hint(image, control_net), strength)
    return with_control(conditioning, hint, on_negative=True)


@node("ControlNetApplyAdvanced", category="conditioning/controlnet", display_name="Apply ControlNet")
def control_net_apply_advanced(
    *,
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    image: Image,
    strength: Strength = 1.0,
    start_percent: Percent = 0.0,
    end_percent: Percent = 1.0,
    vae: Vae | None = None,
) -> Both:
    """Let a hint guide a part of the steps, on both sides alike.

    vae: only some newer ControlNets need it.
    """
    if strength == 0:
        return Both(positive, negative)
    hint = ControlHint(control_net, _hint(image, control_net), strength, start_percent, end_percent, vae)
    return _on_both(positive, negative, hint)


@node(
    "ControlNetApplySD3",
    category="conditioning/controlnet",
    display_name="Apply Controlnet with VAE",
    is_deprecated=True,
)
def control_net_apply_sd3(
    *,
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    vae: Vae,
    image: Image,
    strength: Strength = 1.0,
    start_percent: Percent = 0.0,
    end_percent: Percent = 1.0,
) -> Both:
    """Let a hint guide a part of the steps, on both sides alike; the VAE is for nets that read latents."""
    if strength == 0:
        return Both(positive, negative)
    hint = ControlHint(control_net, _hint(image, control_net), strength, start_percent, end_percent, vae)
    return _on_both(positive, negative, hint)


@node("ControlNetInpaintingAliMamaApply", category="conditioning/controlnet")
def control_net_inpainting_apply(
    *,
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    vae: Vae,
    image: Image,
    mask: Mask,
    strength: Strength = 1.0,
    start_percent: Percent = 0.0,
    end_percent: Percent = 1.0,
) -> Both:
    """Let a picture guide the drawing where a mask leaves it alone; nets that read no mask get all of it."""
    if strength == 0:
        return Both(positive, negative)
    picture, masks, kept = _hint(image, control_net), sound(need_mask(mask, "mask"), "mask"), None
    if getattr(control_net, "reads_mask", False):
        kept = 1.0 - masks
        picture = picture * resize(kept, picture.shape[-1], picture.shape[-2], "bilinear", "center").round()
    hint = ControlHint(control_net, picture, strength, start_percent, end_percent, vae, kept)
    return _on_both(positive, negative, hint)


@node("CLIPTextEncodeControlnet", category="_for_testing/conditioning", is_experimental=True)
def clip_text_encode_controlnet(
    *,
    clip: Clip,
    conditioning: Conditioning,
    text: Prompt,
    run: Run,
) -> Conditioning:
    """Give the ControlNets of a conditioning a text of their own to read."""
    tokens, options, *_ = text_conditioning(need_clip(clip), text, run.stop_if_cancelled)[0]
    told = {"cross_attn_controlnet": tokens, "pooled_output_controlnet": options.get("pooled_output")}
    return [[each, {**known, **told}] for each, known, *_ in conditioning]


def _on_both(positive: Conditioning, negative: Conditioning, hint: ControlHint) -> Both:
    return Both(*(with_control(side, hint, on_negative=False) for side in (positive, negative)))


def _hint(image: object, control_net: Any) -> Tensor:
    """The pictures as the net's hints, [B, C, H, W]. Raises: ImageError, for too few channels, or no numbers."""
    wanted = getattr(control_net, "hint_channels", 3)
    if wanted <= 3:
        return sound(need_colours(image, "image"), "image").movedim(-1, 1)
    pictures = need_image(image, "image")
    if pictures.shape[3] < wanted:
        raise ImageError(
            f"image: this ControlNet reads hints of {wanted} channels (colours and a mask), got {pictures.shape[3]}; "
            "join the mask to the picture as its alpha"
        )
    return sound(pictures[..., :wanted], "image").movedim(-1, 1)
