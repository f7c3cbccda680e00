"""Nodes that make one model of two, or one text encoder."""

from typing import Annotated

from engine.adapters import merging
from engine.graph.define import Each, Widget, node
from nodes.convert import naming, need_clip
from nodes.types import Clip, Model

Ratio = Annotated[float, Widget(min=0.0, max=1.0, step=0.01, tooltip="1 is the first model, 0 the second.")]
Multiplier = Annotated[float, Widget(min=-10.0, max=10.0, step=0.01, tooltip="The factor for the difference.")]


def _blocks(name: str, count: int, dot: str = ".") -> list[str]:
    return [f"{name}.{index}{dot}" for index in range(count)]


SD1_BLOCKS = (
    "time_embed.",
    "label_emb.",
    *_blocks("input_blocks", 12),
    *_blocks("middle_block", 3),
    *_blocks("output_blocks", 12),
    "out.",
)
"""The parts of Stable Diffusion 1's and 2's denoisers."""

SDXL_BLOCKS = (
    "time_embed.",
    "label_emb.",
    *_blocks("input_blocks", 9, ""),
    *_blocks("middle_block", 3, ""),
    *_blocks("output_blocks", 9, ""),
    "out.",
)
"""The parts of Stable Diffusion XL's denoiser."""

SD1Ratios = Annotated[float, Widget(min=0.0, max=1.0, step=0.01), Each(SD1_BLOCKS, default=1.0)]
SDXLRatios = Annotated[float, Widget(min=0.0, max=1.0, step=0.01), Each(SDXL_BLOCKS, default=1.0)]

MERGING = "advanced/model_merging"
SPECIFIC = "advanced/model_merging/model_specific"


@node("ModelMergeSimple", category=MERGING)
def model_merge_simple(*, model1: Model, model2: Model, ratio: Ratio = 1.0) -> Model:
    """Mix two models: so much of the first, the rest of the second."""
    with naming("model2"):
        return merging.models(model1, model2, lambda name: (ratio, 1.0 - ratio))


@node("ModelMergeBlocks", category=MERGING)
def model_merge_blocks(
    *, model1: Model, model2: Model, input: Ratio = 1.0, middle: Ratio = 1.0, out: Ratio = 1.0
) -> Model:
    """Mix two models, in the encoder, the middle and the decoder of the network by a ratio each."""
    with naming("model2"):
        return merging.models(model1, model2, merging.by_block({"input": input, "middle": middle, "out": out}))


@node("ModelMergeAdd", category=MERGING)
def model_merge_add(*, model1: Model, model2: Model) -> Model:
    """Add two models' weights; one of them is usually a difference."""
    with naming("model2"):
        return merging.models(model1, model2, lambda name: (1.0, 1.0))


@node("ModelMergeSubtract", category=MERGING)
def model_merge_subtract(*, model1: Model, model2: Model, multiplier: Multiplier = 1.0) -> Model:
    """Take one model's weights from another's: what the first learned beyond the second."""
    with naming("model2"):
        return merging.models(model1, model2, lambda name: (multiplier, -multiplier))


@node("ModelMergeSD1", category=SPECIFIC)
def model_merge_sd1(*, model1: Model, model2: Model, **ratios: SD1Ratios) -> Model:
    """Mix two models of Stable Diffusion 1, each block by its own ratio."""
    with naming("model2"):
        return merging.models(model1, model2, merging.by_block(ratios))


@node("ModelMergeSD2", category=SPECIFIC)
def model_merge_sd2(*, model1: Model, model2: Model, **ratios: SD1Ratios) -> Model:
    """Mix two models of Stable Diffusion 2, each block by its own ratio."""
    with naming("model2"):
        return merging.models(model1, model2, merging.by_block(ratios))


@node("ModelMergeSDXL", category=SPECIFIC)
def model_merge_sdxl(*, model1: Model, model2: Model, **ratios: SDXLRatios) -> Model:
    """Mix two models of Stable Diffusion XL, each block by its own ratio."""
    with naming("model2"):
        return merging.models(model1, model2, merging.by_block(ratios))


@node("CLIPMergeSimple", category=MERGING)
def clip_merge_simple(*, clip1: Clip, clip2: Clip, ratio: Ratio = 1.0) -> Clip:
    """Mix two text encoders: so much of the first, the rest of the second."""
    with naming("clip2"):
        return merging.clips(need_clip(clip1), need_clip(clip2), (ratio, 1.0 - ratio))


@node("CLIPMergeAdd", category=MERGING)
def clip_merge_add(*, clip1: Clip, clip2: Clip) -> Clip:
    """Add two text encoders' weights; one of them is usually a difference."""
    with naming("clip2"):
        return merging.clips(need_clip(clip1), need_clip(clip2), (1.0, 1.0))


@node("CLIPMergeSubtract", category=MERGING)
def clip_merge_subtract(*, clip1: Clip, clip2: Clip, multiplier: Multiplier = 1.0) -> Clip:
    """Take one text encoder's weights from another's."""
    with naming("clip2"):
        return merging.clips(need_clip(clip1), need_clip(clip2), (multiplier, -multiplier))
