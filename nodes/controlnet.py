"""Nodes that let a picture of edges, depth, a pose … guide the drawing."""

from typing import Annotated, NamedTuple

from engine.checkpoints.load import Loader
from engine.conditioning import ControlHint
from engine.folders import Folders
from engine.graph.define import Files, node
from nodes.convert import naming, need_colours, with_control
from nodes.types import Conditioning, ControlNet, Image, Percent, Strength, Vae

ControlNetName = Annotated[str, Files("controlnet", tooltip="A file of models/controlnet.")]


class Both(NamedTuple):
    """Both sides of the guidance."""

    positive: Conditioning
    negative: Conditioning


@node("ControlNetLoader", category="loaders", display_name="Load ControlNet Model")
def control_net_loader(*, control_net_name: ControlNetName, folders: Folders, loader: Loader) -> ControlNet:
    """Load a ControlNet."""
    with naming("control_net_name"):
        return loader.controlnet(folders.path("controlnet", control_net_name))


@node("ControlNetApply", category="conditioning/controlnet", display_name="Apply ControlNet (OLD)", is_deprecated=True)
def control_net_apply(
    *, conditioning: Conditioning, control_net: ControlNet, image: Image, strength: Strength = 1.0
) -> Conditioning:
    """Let a hint guide the drawing, the negative side by the same hint."""
    if strength == 0:
        return conditioning
    hint = ControlHint(control_net, need_colours(image, "image").movedim(-1, 1), strength)
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
    picture = need_colours(image, "image").movedim(-1, 1)
    hint = ControlHint(control_net, picture, strength, start_percent, end_percent, vae)
    return Both(*(with_control(side, hint, on_negative=False) for side in (positive, negative)))
