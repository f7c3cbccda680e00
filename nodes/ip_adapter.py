"""Nodes that let pictures guide beside the text: IP-Adapters, by the names that workflows know them by.

Their ids, inputs and defaults are those of ComfyUI_IPAdapter_plus. Where that pack is installed, its nodes take the
place of these, as with every id.
"""

from typing import Annotated, Any, Literal, NamedTuple

import torch
from torch import Tensor

from engine.adapters import ip_adapter, ip_adapter_files
from engine.adapters.ip_adapter import Adapter, Use
from engine.adapters.layer_weights import WEIGHT_TYPES
from engine.checkpoints import image_prompts
from engine.checkpoints.load import Loader
from engine.errors import CheckpointError, ImageError, SamplingError
from engine.folders import Folders
from engine.graph.define import Choices, Files, Widget, node
from engine.pictures import squares
from nodes.convert import naming, need_colours, need_mask
from nodes.types import ClipVision, Image, IpAdapter, Mask, Model, PictureEmbeds

IpAdapterName = Annotated[str, Files("ipadapter", tooltip="A file of models/ipadapter.")]
Weight = Annotated[
    float, Widget(min=-1.0, max=3.0, step=0.05, tooltip="How strongly the picture guides; 0 not at all.")
]
WideWeight = Annotated[
    float, Widget(min=-1.0, max=5.0, step=0.05, tooltip="How strongly the picture guides; 0 not at all.")
]
FineWeight = Annotated[float, Widget(min=-1.0, max=3.0, step=0.01, tooltip="What this picture counts among others.")]
Share = Annotated[float, Widget(min=0.0, max=1.0, step=0.001, tooltip="0 is the first step, 1 the last.")]
WeightType = Annotated[str, Choices(WEIGHT_TYPES, tooltip="How the weight is spread over the model's layers.")]
Scaling = Annotated[str, Choices(ip_adapter.SCALINGS, tooltip="What the weight multiplies in each attention.")]
Combining = Literal["concat", "add", "subtract", "average", "norm average"]
SIMPLE = {"standard": "linear", "prompt is more important": "ease out", "style transfer": "style transfer"}


class Loaded(NamedTuple):
    """The model as it came, and its adapter."""

    model: Model
    ipadapter: IpAdapter


class Embeds(NamedTuple):
    """What a picture shows, and what no picture shows."""

    pos_embed: PictureEmbeds
    neg_embed: PictureEmbeds


@node("IPAdapterModelLoader", yields=True, category="ipadapter/loaders", display_name="IPAdapter Model Loader")
def ip_adapter_model_loader(*, ipadapter_file: IpAdapterName, folders: Folders, loader: Loader) -> IpAdapter:
    """Load an IP-Adapter. Its CLIP vision model comes from CLIPVisionLoader."""
    with naming("ipadapter_file"):
        path = folders.path("ipadapter", ipadapter_file)
        return Adapter(image_prompts.ip_adapter(path, loader.devices.place("network")), loader.keeper)


@node("IPAdapterUnifiedLoader", yields=True, category="ipadapter", display_name="IPAdapter Unified Loader")
def ip_adapter_unified_loader(
    *,
    model: Model,
    preset: Annotated[str, Choices(ip_adapter_files.PRESETS)],
    ipadapter: IpAdapter | None = None,
    folders: Folders,
    loader: Loader,
) -> Loaded:
    """Load an IP-Adapter with its CLIP vision model: the files of a preset for this model, by their published names.

    ipadapter: of another such loader; what is loaded there already is used again.
    """
    with naming("preset"):
        name = ip_adapter_files.adapter(folders.list("ipadapter"), preset, model.family)
        eyes = folders.path("clip_vision", ip_adapter_files.eyes(folders.list("clip_vision"), preset))
        part = image_prompts.ip_adapter(folders.path("ipadapter", name), loader.devices.place("network"))
        return Loaded(model, Adapter(part, loader.keeper, _eyes_again(ipadapter, loader, eyes)))


@node("IPAdapter", yields=True, category="ipadapter")
def ip_adapter_simple(
    *,
    model: Model,
    ipadapter: IpAdapter,
    image: Image,
    weight: Weight = 1.0,
    start_at: Share = 0.0,
    end_at: Share = 1.0,
    weight_type: Annotated[str, Choices(tuple(SIMPLE))],
    attn_mask: Mask | None = None,
) -> Model:
    """Let pictures guide a model beside the text. The adapter comes from IPAdapterUnifiedLoader.

    attn_mask: where in the picture to be drawn; black parts are left alone.
    """
    use = Use(weight, SIMPLE[weight_type], ip_adapter.V, start_at, end_at, _mask(attn_mask))
    return _guided(model, ipadapter, image, None, None, "concat", use)


@node("IPAdapterAdvanced", yields=True, category="ipadapter", display_name="IPAdapter Advanced")
def ip_adapter_advanced(
    *,
    model: Model,
    ipadapter: IpAdapter,
    image: Image,
    weight: WideWeight = 1.0,
    weight_type: WeightType,
    combine_embeds: Combining,
    start_at: Share = 0.0,
    end_at: Share = 1.0,
    embeds_scaling: Scaling,
    image_negative: Image | None = None,
    attn_mask: Mask | None = None,
    clip_vision: ClipVision | None = None,
) -> Model:
    """Let pictures guide a model beside the text, with all options."""
    use = Use(weight, weight_type, embeds_scaling, start_at, end_at, _mask(attn_mask))
    return _guided(model, ipadapter, image, image_negative, clip_vision, combine_embeds, use)


@node("IPAdapterEncoder", yields=True, category="ipadapter/embeds", display_name="IPAdapter Encoder")
def ip_adapter_encoder(
    *,
    ipadapter: IpAdapter,
    image: Image,
    weight: FineWeight = 1.0,
    mask: Mask | None = None,
    clip_vision: ClipVision | None = None,
) -> Embeds:
    """Look at pictures for an IP-Adapter, so that they can be weighed against others before they guide.

    mask: what of the pictures is looked at.
    """
    adapter = _need(ipadapter)
    eyes = _eyes(adapter, clip_vision)
    with naming("clip_vision", CheckpointError):
        seen = adapter.look(eyes, _picture(image, "image"), None if mask is None else need_mask(mask, "mask"))
        return Embeds(seen * weight, adapter.blank(eyes))


@node("IPAdapterCombineEmbeds", yields=True, category="ipadapter/embeds", display_name="IPAdapter Combine Embeds")
def ip_adapter_combine_embeds(
    *,
    embed1: PictureEmbeds,
    method: Literal["concat", "add", "subtract", "average", "norm average", "max", "min"],
    embed2: PictureEmbeds | None = None,
    embed3: PictureEmbeds | None = None,
    embed4: PictureEmbeds | None = None,
    embed5: PictureEmbeds | None = None,
) -> PictureEmbeds:
    """Make one of what was seen in several pictures, or put it one after the other."""
    given = [each for each in (embed1, embed2, embed3, embed4, embed5) if each is not None]
    shapes = sorted({tuple(each.shape[1:]) for each in given})
    if len(shapes) > 1:
        raise SamplingError(f"embed1 … embed5 are of different adapters: {' and '.join(map(str, shapes))} numbers each")
    return ip_adapter.combined(torch.cat(given), method)


@node("IPAdapterEmbeds", yields=True, category="ipadapter/embeds", display_name="IPAdapter Embeds")
def ip_adapter_embeds(
    *,
    model: Model,
    ipadapter: IpAdapter,
    pos_embed: PictureEmbeds,
    weight: Weight = 1.0,
    weight_type: WeightType,
    start_at: Share = 0.0,
    end_at: Share = 1.0,
    embeds_scaling: Scaling,
    neg_embed: PictureEmbeds | None = None,
    attn_mask: Mask | None = None,
    clip_vision: ClipVision | None = None,
) -> Model:
    """Let guide what IPAdapterEncoder saw in pictures."""
    if weight == 0:
        return model
    adapter = _need(ipadapter)
    blank = neg_embed if neg_embed is not None else _blank(adapter, clip_vision)
    use = Use(weight, weight_type, embeds_scaling, start_at, end_at, _mask(attn_mask))
    with naming("pos_embed", CheckpointError):
        return ip_adapter.apply(model, adapter, pos_embed, blank, use)


@node("PrepImageForClipVision", yields=True, category="ipadapter/utils", display_name="Prep Image For ClipVision")
def prep_image_for_clip_vision(
    *,
    image: Image,
    interpolation: Annotated[str, Choices(squares.INTERPOLATIONS)],
    crop_position: Annotated[str, Choices(squares.POSITIONS)],
    sharpening: Annotated[float, Widget(min=0.0, max=1.0, step=0.05)] = 0.0,
) -> Image:
    """Cut a picture to a square of 224×224 pixels, as CLIP sees it, where you choose and not in the middle."""
    return squares.prepared(_picture(image, "image"), interpolation, crop_position, sharpening)


def _guided(
    model: Model,
    adapter: Adapter,
    image: Tensor,
    negative: Tensor | None,
    vision: ClipVision | None,
    method: str,
    use: Use,
) -> Model:
    if use.weight == 0:
        return model
    eyes = _eyes(_need(adapter), vision)
    with naming("clip_vision" if vision is not None else "ipadapter", CheckpointError):
        seen = ip_adapter.combined(adapter.look(eyes, _picture(image, "image")), method)
        if negative is None:
            blank = adapter.blank(eyes)
        else:
            blank = ip_adapter.combined(adapter.look(eyes, _picture(negative, "image_negative")), method)
    with naming("ipadapter", CheckpointError):
        return ip_adapter.apply(model, adapter, seen, blank, use)


def _picture(image: object, name: str) -> Tensor:
    picture = need_colours(image, name)
    if not bool(torch.isfinite(picture).all()):
        raise ImageError(f"{name}: it holds values that are no numbers (NaN or infinite); look at what made it")
    return picture


def _mask(mask: Any) -> Tensor | None:
    return None if mask is None else need_mask(mask, "attn_mask")


def _need(adapter: object) -> Adapter:
    """The adapter on a wire. Raises: SamplingError, for one that a plugin's loader made."""
    if not isinstance(adapter, Adapter):
        raise SamplingError(
            f"ipadapter: expected the adapter of an IPAdapterModelLoader or IPAdapterUnifiedLoader of ours, got "
            f"{type(adapter).__name__}, which a plugin's loader may have made; use that plugin's nodes for it."
        )
    return adapter


def _eyes(adapter: Adapter, vision: ClipVision | None) -> Any:
    found = vision if vision is not None else adapter.vision
    if found is None:
        raise CheckpointError(
            "clip_vision: there is no CLIP vision model; connect one of CLIPVisionLoader, or take the adapter of "
            "IPAdapterUnifiedLoader"
        )
    return found


def _blank(adapter: Adapter, vision: ClipVision | None) -> Tensor:
    if adapter.config.kind == "standard":
        return torch.zeros(1, adapter.config.clip_width)
    return adapter.blank(_eyes(adapter, vision))


def _eyes_again(adapter: object, loader: Loader, path: Any) -> Any:
    """The eyes of a file; those of an adapter that was loaded before, if they are of the same file."""
    known = adapter.vision if isinstance(adapter, Adapter) else None
    if known is not None and known.part.name.endswith(f" of {path.name}"):
        return known
    return loader.clip_vision(path)
