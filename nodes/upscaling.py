"""Nodes that make pictures larger with networks made for it.

What SD_4XUpscale_Conditioning puts on conditionings is from node_behaviour 1.1 and A.5; that a picture is brought to a
quarter of the result as other further channels are (bilinear, from the middle), from A.5.
"""

from functools import partial
from typing import Annotated, Any, NamedTuple

import torch

from engine.checkpoints import upscalers
from engine.checkpoints.load import Loader
from engine.folders import Folders
from engine.graph.define import Files, Widget, Wire, node
from engine.graph.run import Run
from engine.pictures.upscaling import upscaled
from engine.shapes import fitted_picture
from engine.values import Watch
from nodes.convert import naming, need_colours, with_options
from nodes.types import Conditioning, Image, Latent

UpscaleModel = Annotated[Any, Wire("UPSCALE_MODEL")]
Ratio = Annotated[float, Widget(min=0.0, max=10.0, step=0.01, tooltip="How many times as large the result is.")]
Augmentation = Annotated[
    float, Widget(min=0.0, max=1.0, step=0.001, tooltip="Noise on the picture: the more, the more is drawn anew.")
]
UpscaleModelName = Annotated[str, Files("upscale_models", tooltip="A file of models/upscale_models.")]

TIMES = 4
"""How many times as large as its latent the picture of the x4 upscaler is."""


class Upscaling(NamedTuple):
    """Both sides of a guidance that know the picture, and the latent to draw on."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


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


@node("SD_4XUpscale_Conditioning", category="conditioning/upscale_diffusion")
def sd_4x_upscale_conditioning(
    *,
    images: Image,
    positive: Conditioning,
    negative: Conditioning,
    scale_ratio: Ratio = 4.0,
    noise_augmentation: Augmentation = 0.0,
) -> Upscaling:
    """Have Stable Diffusion's x4 upscaler draw a picture larger: what it is shown, and the empty latent it draws on."""
    pictures = need_colours(images, "images").movedim(-1, 1)[:, :3] * 2 - 1
    height, width = (max(1, round(side * scale_ratio) // TIMES) for side in pictures.shape[-2:])
    with naming("images"):
        shown = fitted_picture(pictures, (height, width), "bilinear")
    told = {"concat_image": shown, "noise_augmentation": noise_augmentation}
    latent = torch.zeros(len(pictures), 4, height, width)
    return Upscaling(with_options(positive, **told), with_options(negative, **told), {"samples": latent})
