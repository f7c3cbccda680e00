"""Nodes that say where and when a text guides the picture. None of them changes the conditioning it was given."""

from typing import Annotated, Literal, NamedTuple

import torch

from engine.checkpoints import lotus
from engine.checkpoints.load import Loader
from engine.folders import Folders
from engine.graph.define import Widget, node
from engine.graph.run import Run
from engine.pictures import inpainting
from engine.shapes import CELL
from engine.values import Watch
from nodes.convert import encodable, naming, need_mask, need_vae, sound, with_options
from nodes.mixed_texts import averaged, concatenated, silenced
from nodes.types import MAX_SIDE, Conditioning, Image, Latent, Mask, Percent, Strength, Vae

AreaSide = Annotated[int, Widget(min=64, max=MAX_SIDE, step=8, tooltip="In pixels.")]
AreaStart = Annotated[int, Widget(min=0, max=MAX_SIDE, step=8, tooltip="In pixels from the left or the top.")]

AreaShare = Annotated[float, Widget(min=0, max=1.0, step=0.01, tooltip="1 is the whole picture.")]
Share = Annotated[float, Widget(min=0.0, max=1.0, step=0.01, tooltip="1 takes only conditioning_to.")]


class Shown(NamedTuple):
    """Both sides of the guidance with a picture that the model sees besides the text, and a latent to draw into."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node("ConditioningCombine", category="conditioning", display_name="Conditioning (Combine)")
def conditioning_combine(*, conditioning_1: Conditioning, conditioning_2: Conditioning) -> Conditioning:
    """Let both guide the picture, each by its strength."""
    return [*conditioning_1, *conditioning_2]


@node("ConditioningAverage", category="conditioning")
def conditioning_average(
    *, conditioning_to: Conditioning, conditioning_from: Conditioning, conditioning_to_strength: Share = 1.0
) -> Conditioning:
    """Mix two texts; the second one is cut, or filled up with nothing, to the length of the first."""
    with naming("conditioning_from"):
        return averaged(conditioning_to, conditioning_from, conditioning_to_strength)


@node("ConditioningConcat", category="conditioning")
def conditioning_concat(*, conditioning_to: Conditioning, conditioning_from: Conditioning) -> Conditioning:
    """Let a text go on with another one."""
    with naming("conditioning_from"):
        return concatenated(conditioning_to, conditioning_from)


@node("ConditioningZeroOut", category="advanced/conditioning")
def conditioning_zero_out(*, conditioning: Conditioning) -> Conditioning:
    """Make a text say nothing."""
    return silenced(conditioning)


@node("ConditioningSetArea", category="conditioning", display_name="Conditioning (Set Area)")
def conditioning_set_area(
    *,
    conditioning: Conditioning,
    width: AreaSide = 64,
    height: AreaSide = 64,
    x: AreaStart = 0,
    y: AreaStart = 0,
    strength: Strength = 1.0,
) -> Conditioning:
    """Let a text guide one rectangle of the picture."""
    area = (height // CELL, width // CELL, y // CELL, x // CELL)
    return with_options(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node("ConditioningSetAreaPercentage", category="conditioning", display_name="Conditioning (Set Area with Percentage)")
def conditioning_set_area_percentage(
    *,
    conditioning: Conditioning,
    width: AreaShare = 1.0,
    height: AreaShare = 1.0,
    x: AreaShare = 0,
    y: AreaShare = 0,
    strength: Strength = 1.0,
) -> Conditioning:
    """Let a text guide one rectangle, given in shares of the picture."""
    area = ("percentage", height, width, y, x)
    return with_options(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node("ConditioningSetAreaStrength", category="conditioning")
def conditioning_set_area_strength(*, conditioning: Conditioning, strength: Strength = 1.0) -> Conditioning:
    """Say how much a text counts beside others."""
    return with_options(conditioning, strength=strength)


@node("ConditioningSetMask", category="conditioning", display_name="Conditioning (Set Mask)")
def conditioning_set_mask(
    *,
    conditioning: Conditioning,
    mask: Mask,
    strength: Strength = 1.0,
    set_cond_area: Literal["default", "mask bounds"],
) -> Conditioning:
    """Let a text guide the masked part of the picture.

    set_cond_area: "mask bounds" shows the model only the rectangle around the mask, "default" the whole picture.
    """
    mask = need_mask(mask, "mask")[:, 0]
    bounds = set_cond_area != "default"
    return with_options(conditioning, mask=mask, mask_strength=strength, set_area_to_bounds=bounds)


@node("ConditioningSetTimestepRange", category="advanced/conditioning")
def conditioning_set_timestep_range(
    *, conditioning: Conditioning, start: Percent = 0.0, end: Percent = 1.0
) -> Conditioning:
    """Let a text guide only a part of the steps."""
    return with_options(conditioning, start_percent=start, end_percent=end)


@node("InstructPixToPixConditioning", category="conditioning/instructpix2pix")
def instruct_pix_to_pix_conditioning(
    *, positive: Conditioning, negative: Conditioning, vae: Vae, pixels: Image, run: Run
) -> Shown:
    """Show an editing model the picture to edit."""
    coder = need_vae(vae)
    picture = inpainting.cut(encodable(pixels, coder, "pixels"), CELL)
    seen = coder.encode(picture, Watch(run.stop_if_cancelled, run.progress))
    said = {"concat_latent_image": seen}
    nothing = {"samples": torch.zeros_like(seen)}
    return Shown(with_options(positive, **said), with_options(negative, **said), nothing)


@node("InpaintModelConditioning", category="conditioning/inpaint")
def inpaint_model_conditioning(
    *,
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    pixels: Image,
    mask: Mask,
    noise_mask: bool = True,
    run: Run,
) -> Shown:
    """Show an inpainting model what is there, and which part is to be drawn anew.

    noise_mask: let only that part change.
    """
    coder, watch = need_vae(vae), Watch(run.stop_if_cancelled, run.progress)
    picture, masks = inpainting.fitted(encodable(pixels, coder, "pixels"), sound(need_mask(mask, "mask"), "mask"), CELL)
    seen = coder.encode(inpainting.greyed(picture, masks), watch)
    said = {"concat_latent_image": seen, "concat_mask": masks}
    latent = {"samples": coder.encode(picture, watch), **({"noise_mask": masks} if noise_mask else {})}
    return Shown(with_options(positive, **said), with_options(negative, **said), latent)


class Lotus(NamedTuple):
    """The text that Lotus was trained with."""

    conditioning: Conditioning


@node("LotusConditioning", category="conditioning/lotus")
def lotus_conditioning(*, folders: Folders, loader: Loader) -> Lotus:
    """The empty text that Lotus (depth, normals) was trained with, as Stable Diffusion 2's text encoder reads it."""
    kinds = ("text_encoders", "checkpoints")
    paths = (folders.path(kind, name) for kind in kinds for name in folders.list(kind))
    return Lotus([[lotus.empty_prompt(paths, loader), {}]])
