"""Nodes that make pictures larger with networks made for it."""

from functools import partial
from typing import Annotated, Any

from engine.checkpoints import upscalers
from engine.checkpoints.load import Loader
from engine.folders import Folders
from engine.graph.define import Files, Wire, node
from engine.graph.run import Run
from engine.pictures.upscaling import upscaled
from engine.values import Watch
from nodes.convert import naming, need_colours
from nodes.types import Image

UpscaleModel = Annotated[Any, Wire("UPSCALE_MODEL")]
UpscaleModelName = Annotated[str, Files("upscale_models", tooltip="A file of models/upscale_models.")]


@node("UpscaleModelLoader", category="loaders", display_name="Load Upscale Model")
def upscale_model_loader(*, model_name: UpscaleModelName, folders: Folders) -> UpscaleModel:
    """Load a network that makes pictures larger: ESRGAN and its children, others where spandrel is installed."""
    with naming("model_name"):
        return upscalers.load(folders.path("upscale_models", model_name))


@node("ImageUpscaleWithModel", category="image/upscaling", display_name="Upscale Image (using Model)")
def image_upscale_with_model(*, upscale_model: UpscaleModel, image: Image, loader: Loader, run: Run) -> Image:
    """Make pictures larger, as many times as the network does."""
    device, watch = loader.devices.main, Watch(run.stop_if_cancelled, run.progress)
    pictures = need_colours(image, "image")
    with naming("upscale_model"):
        return upscaled(upscale_model, pictures, device, partial(loader.keeper.free_room, device), watch)
