"""Nodes that change how a UNet works on a picture, and leave its weights alone."""

from typing import Annotated

from engine.graph.define import Choices, Widget, node
from engine.steering import downscaling, freeu, hypertile, token_merging
from engine.steering.places import unet_width
from nodes.types import Model, Percent

Backbone = Annotated[
    float, Widget(min=0.0, max=10.0, step=0.01, tooltip="The strength of the decoder; 1 is as it was.")
]
Skip = Annotated[float, Widget(min=0.0, max=10.0, step=0.01, tooltip="The coarse part of skips; 1 is as it was.")]
TileSize = Annotated[int, Widget(min=1, max=2048, tooltip="The smallest side of a tile, in pixels.")]
SwapSize = Annotated[
    int, Widget(min=1, max=128, tooltip="Among how many sizes of tiles one is drawn; 1 is always one.")
]
Depth = Annotated[int, Widget(min=0, max=10, tooltip="How many levels below the finest are cut too.")]
Block = Annotated[int, Widget(min=1, max=32, step=1, tooltip="The input block from which on the picture is small.")]
Factor = Annotated[float, Widget(min=0.1, max=9.0, step=0.001, tooltip="How many times smaller.")]
Method = Annotated[str, Choices(("bicubic", "nearest-exact", "bilinear", "area", "bislerp"))]
Ratio = Annotated[float, Widget(min=0.0, max=1.0, step=0.01, tooltip="The share of cells that are merged into others.")]


@node("FreeU", category="model_patches/unet")
def free_u(*, model: Model, b1: Backbone = 1.1, b2: Backbone = 1.2, s1: Skip = 0.9, s2: Skip = 0.2) -> Model:
    """Let a UNet's decoder listen more to itself and less to coarse skips: often cleaner pictures for nothing."""
    width = unet_width(model.part.module, "FreeU")
    return model.with_hooks(freeu.reweighing(width, (b1, s1), (b2, s2)))


@node("FreeU_V2", category="model_patches/unet")
def free_u_v2(*, model: Model, b1: Backbone = 1.3, b2: Backbone = 1.4, s1: Skip = 0.9, s2: Skip = 0.2) -> Model:
    """FreeU's second version: the more so where the picture has much to say."""
    width = unet_width(model.part.module, "FreeU_V2")
    return model.with_hooks(freeu.reweighing(width, (b1, s1), (b2, s2), freeu.by_structure))


@node("HyperTile", category="model_patches/unet")
def hyper_tile(
    *, model: Model, tile_size: TileSize = 256, swap_size: SwapSize = 2, max_depth: Depth = 0, scale_depth: bool = False
) -> Model:
    """Draw large pictures faster: each cell attends to its tile only.

    scale_depth: tiles of coarser levels have as many cells, and so are larger.
    """
    unet_width(model.part.module, "HyperTile")
    return model.with_hooks(hypertile.tiling(tile_size, swap_size, max_depth, scale_depth))


@node(
    "PatchModelAddDownscale", category="model_patches/unet", display_name="PatchModelAddDownscale (Kohya Deep Shrink)"
)
def patch_model_add_downscale(
    *,
    model: Model,
    block_number: Block = 3,
    downscale_factor: Factor = 2.0,
    start_percent: Percent = 0.0,
    end_percent: Percent = 0.35,
    downscale_after_skip: bool = True,
    downscale_method: Method,
    upscale_method: Method,
) -> Model:
    """Let the first steps see a large picture small, so that it shows one thing and not copies of it (deep shrink)."""
    unet_width(model.part.module, "PatchModelAddDownscale")
    start, end = (model.prediction.table.at_percent(each) for each in (start_percent, end_percent))
    how = downscaling.Shrinking(block_number, downscale_factor, start, end, downscale_method, upscale_method)
    return model.with_hooks(downscaling.shrinking(how, downscale_after_skip))


@node("TomePatchModel", category="model_patches/unet")
def tome_patch_model(*, model: Model, ratio: Ratio = 0.3) -> Model:
    """Draw faster by letting cells that look alike go through self-attention as one (token merging)."""
    unet_width(model.part.module, "TomePatchModel")
    return model.with_hooks(token_merging.merging(ratio))
