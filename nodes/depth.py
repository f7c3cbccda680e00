"""Nodes that tell how far away everything in a picture is: Depth Anything 3."""

from dataclasses import dataclass
from typing import Annotated

import torch

from engine.checkpoints import geometry
from engine.checkpoints.load import Loader
from engine.folders import Folders
from engine.graph.define import Choices, Files, Variants, Widget, Wire, node
from engine.graph.run import Run
from engine.models.depth_anything.views import Strategy
from engine.pictures import depth, depth_maps
from engine.pictures.depth import Method, Pose
from engine.pictures.depth_maps import Normalization
from engine.values import Watch
from nodes.convert import naming, need_colours, sound
from nodes.types import Image

STORED = {"default": None, "fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}

DepthModel = Annotated[depth.DepthModel, Wire("DA3_MODEL")]
Geometry = Annotated[depth.Geometry, Wire("DA3_GEOMETRY")]
"""What DA3Inference found; see engine.pictures.depth.Geometry."""

FOUND = {"da3_geometry": Geometry}

DepthModelName = Annotated[str, Files("geometry_estimation", tooltip="A file of models/geometry_estimation.")]
WeightFormat = Annotated[
    str, Choices(tuple(STORED), tooltip="How weights are kept and used; default is the file's own way.")
]
Resolution = Annotated[
    int,
    Widget(
        min=140,
        max=2520,
        step=14,
        tooltip="How large the model sees pictures, in pixels; more shows more and takes more.",
    ),
]


@dataclass(frozen=True)
class Mono:
    """Every picture by itself."""


@dataclass(frozen=True)
class Multiview:
    """All pictures as views of one scene.

    ref_view_strategy: The view that the others are seen from: the most average one, the most distinct one, the first,
    the one in the middle.
    pose_method: How cameras are found: as the model learned to tell them, or from the rays it sees.
    """

    ref_view_strategy: Strategy = "saddle_balanced"
    pose_method: Pose = "cam_dec"


Mode = Annotated[Mono | Multiview, Variants({"mono": Mono, "multiview": Multiview})]


@dataclass(frozen=True)
class DepthPicture:
    """Depth in shades of grey.

    normalization: v2_style makes near bright, in steps of 1 / depth around the mean; min_max goes from the farthest,
    black, to the nearest, white; raw keeps the numbers, larger is farther.
    apply_sky_clip: Put the sky as far as the farthest of the rest; for models that see the sky (Mono, Metric).
    """

    normalization: Normalization = "v2_style"
    apply_sky_clip: bool = False


@dataclass(frozen=True)
class ColoredDepth(DepthPicture):
    __doc__ = DepthPicture.__doc__


@dataclass(frozen=True)
class SkyMask:
    """Where the sky is.

    colored: From blue (none) to red (certain) instead of grey.
    """

    colored: bool = False


@dataclass(frozen=True)
class Confidence:
    """How sure the depth is.

    colored: From blue (least) to red (most) instead of grey.
    """

    colored: bool = False


Output = Annotated[
    DepthPicture | ColoredDepth | SkyMask | Confidence,
    Variants({"depth": DepthPicture, "depth_colored": ColoredDepth, "sky_mask": SkyMask, "confidence": Confidence}),
]


@node("LoadDA3Model", category="loaders", display_name="Load Depth Anything 3")
def load_da3_model(
    *, model_name: DepthModelName, weight_dtype: WeightFormat = "default", folders: Folders, loader: Loader
) -> DepthModel:
    """Load Depth Anything 3: Small or Base (several views, cameras), Mono-Large or Metric-Large (sky)."""
    with naming("model_name"):
        file = loader.opened(folders.path("geometry_estimation", model_name))
        return geometry.depth_model(file, loader.devices, loader.keeper, STORED[weight_dtype])


@node("DA3Inference", category="image/preprocessors", display_name="Run Depth Anything 3", outputs=FOUND)
def da3_inference(
    *,
    da3_model: DepthModel,
    image: Image,
    resolution: Resolution = 504,
    resize_method: Annotated[Method, Widget()] = "upper_bound_resize",
    mode: Mode,
    run: Run,
) -> Geometry:
    """Tell how far away everything in pictures is; of several views of a scene also where the cameras were.

    resize_method: Whether the resolution is that of the longer side, or of the shorter, which takes more memory.
    mode: Whether pictures have nothing to do with each other (mono, any model) or show one scene (multiview, Small and
    Base).
    """
    pictures = sound(need_colours(image, "image"), "image")
    together = depth.Together(mode.ref_view_strategy, mode.pose_method) if isinstance(mode, Multiview) else None
    with naming("da3_model"):
        watch = Watch(run.stop_if_cancelled, run.progress)
        return depth.estimate(da3_model, pictures, resolution, resize_method, together, watch)


@node("DA3Render", category="image/preprocessors", display_name="Render Depth Anything 3")
def da3_render(*, da3_geometry: Geometry, output: Output) -> Image:
    """Show what Depth Anything 3 found: depth, the sky, or how sure it is.

    output: What to show.
    """
    with naming("da3_geometry"):
        match output:
            case SkyMask():
                return depth_maps.sky_mask(da3_geometry, is_colored=output.colored)
            case Confidence():
                return depth_maps.confidence(da3_geometry, is_colored=output.colored)
        is_colored = isinstance(output, ColoredDepth)
        return depth_maps.depth(
            da3_geometry, output.normalization, clips_sky=output.apply_sky_clip, is_colored=is_colored
        )
