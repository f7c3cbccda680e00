"""ComfyUI's core nodes that make, read and write pictures, as classes. Source: node_behaviour.md 4."""

import hashlib
import json
import random
import string
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import comfy
import folder_paths
import torch
from comfy.cli_args import args
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from compat.core_nodes.widgets import CROP, HIDDEN_INFO, whole, wires
from compat.host import host
from engine import images
from engine.metadata import png_info
from engine.pictures import layout
from engine.saving import save_numbered


def texts_of(prompt: Any, extra: Mapping[str, Any] | None) -> dict[str, str]:
    """What is written into files about the graph that made them, as JSON texts."""
    if args.disable_metadata:
        return {}
    known = {**({} if prompt is None else {"prompt": prompt}), **(extra or {})}
    return {name: json.dumps(value) for name, value in known.items()}


class SaveImage:
    """Writes pictures as PNG into the output folder, with the workflow inside.

    Subclasses say where: output_dir, type ("output" or "temp"), prefix_append and compress_level.
    """

    RETURN_TYPES = ()
    FUNCTION = "save_images"
    OUTPUT_NODE = True
    CATEGORY = "image"

    def __init__(self) -> None:
        self.output_dir = folder_paths.get_output_directory()
        self.type = "output"
        self.prefix_append = ""
        self.compress_level = 4

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        prefix = {"filename_prefix": ("STRING", {"default": "ComfyUI"})}
        return {"required": {**wires(images="IMAGE"), **prefix}, "hidden": dict(HIDDEN_INFO)}

    def save_images(
        self, images: Tensor, filename_prefix: str = "ComfyUI", prompt: Any = None, extra_pnginfo: Any = None
    ) -> dict[str, Any]:
        """Each picture under the next free number. Raises: PathError, when the prefix leads out of the folder."""
        info = PngInfo() if args.disable_metadata else png_info(prompt, extra_pnginfo)
        root, prefix = Path(self.output_dir), filename_prefix + self.prefix_append
        shown = []
        for index, image in enumerate(images):
            height, width = image.shape[:2]
            write = partial(_to_pil(image).save, format="PNG", pnginfo=info, compress_level=self.compress_level)
            saved = save_numbered(root, prefix, "png", write, width=width, height=height, batch_index=index)
            shown.append({"filename": saved.filename, "subfolder": saved.subfolder, "type": self.type})
        return {"ui": {"images": shown}}


def _to_pil(image: Tensor) -> Any:
    return images.to_pil(image)


class PreviewImage(SaveImage):
    """Shows pictures without keeping them."""

    def __init__(self) -> None:
        self.output_dir = folder_paths.get_temp_directory()
        self.type = "temp"
        letters = random.SystemRandom().choices(string.ascii_lowercase, k=5)
        self.prefix_append = "_temp_" + "".join(letters)
        self.compress_level = 1

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(images="IMAGE"), "hidden": dict(HIDDEN_INFO)}


class LoadImage:
    """A picture from the input folder; every frame of an animation."""

    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "load_image"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"image": (host().folders.input_files(), {"image_upload": True})}}

    def load_image(self, image: str) -> tuple[Tensor, Tensor]:
        """The pictures, and masks that are 1 where they are transparent."""
        frames = images.read_frames(host().folders.input_file(image), lambda: None)
        return (frames.images, frames.masks)

    @classmethod
    def IS_CHANGED(cls, image: str, **_: Any) -> str:
        """The file's content as a hash."""
        with open(folder_paths.get_annotated_filepath(image), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @classmethod
    def VALIDATE_INPUTS(cls, image: str, **_: Any) -> bool | str:
        """Whether there is such a file."""
        return folder_paths.exists_annotated_filepath(image) or f"Invalid image file: {image}"


class LoadImageMask(LoadImage):
    """One channel of a picture as a mask."""

    RETURN_TYPES = ("MASK",)  # type: ignore[assignment]
    CATEGORY = "mask"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        given = super().INPUT_TYPES()["required"]
        return {"required": {**given, "channel": (["alpha", "red", "green", "blue"],)}}

    def load_image(self, image: str, channel: str) -> tuple[Tensor]:  # type: ignore[override]
        """The channel; alpha is turned over."""
        return (images.read_channel(host().folders.input_file(image), channel),)


class ImageScale:
    """Brings pictures to a size."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "upscale"
    CATEGORY = "image/upscaling"

    upscale_methods = [*images.METHODS]
    crop_methods = ["disabled", "center"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sides = {name: whole(512) for name in ("width", "height")}
        return {"required": {**wires(image="IMAGE"), "upscale_method": (cls.upscale_methods,), **sides, "crop": CROP}}

    def upscale(self, image: Tensor, upscale_method: str, width: int, height: int, crop: str) -> tuple[Tensor]:
        """Where one side is 0 the proportions are kept; both 0 changes nothing."""
        if width == 0 and height == 0:
            return (image,)
        old_height, old_width = image.shape[1:3]
        width = width or max(1, round(old_width * height / old_height))
        height = height or max(1, round(old_height * width / old_width))
        made = comfy.utils.common_upscale(image.movedim(-1, 1), width, height, upscale_method, crop)
        return (made.movedim(1, -1),)


class ImageScaleBy:
    """Makes pictures larger or smaller by a factor."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "upscale"
    CATEGORY = "image/upscaling"

    upscale_methods = [*images.METHODS]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        scale = ("FLOAT", {"default": 1.0, "min": 0.01, "max": 8.0, "step": 0.01})
        return {"required": {**wires(image="IMAGE"), "upscale_method": (cls.upscale_methods,), "scale_by": scale}}

    def upscale(self, image: Tensor, upscale_method: str, scale_by: float) -> tuple[Tensor]:
        """Both sides by the same factor."""
        height, width = (round(side * scale_by) for side in image.shape[1:3])
        made = comfy.utils.common_upscale(image.movedim(-1, 1), width, height, upscale_method, "disabled")
        return (made.movedim(1, -1),)


class ImageInvert:
    """Turns light into dark."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "invert"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(image="IMAGE")}

    def invert(self, image: Tensor) -> tuple[Tensor]:
        """1 - x; alpha too."""
        return (1.0 - image,)


class ImageBatch:
    """Puts pictures into one batch."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "batch"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(image1="IMAGE", image2="IMAGE")}

    def batch(self, image1: Tensor, image2: Tensor) -> tuple[Tensor]:
        """The second ones cut and stretched to the size of the first."""
        if image1.shape[1:] != image2.shape[1:]:
            height, width = image1.shape[1:3]
            image2 = images.resize_image(image2, width, height, "bilinear", "center")
        return (torch.cat((image1, image2)),)


class EmptyImage:
    """A picture of one colour."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "generate"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sides = {name: whole(512, 1) for name in ("width", "height")}
        colour = ("INT", {"default": 0, "min": 0, "max": 0xFFFFFF, "step": 1, "display": "color"})
        return {"required": {**sides, "batch_size": whole(1, 1, 4096), "color": colour}}

    def generate(self, width: int, height: int, batch_size: int = 1, color: int = 0) -> tuple[Tensor]:
        """Pictures filled with 0xRRGGBB."""
        rgb = torch.tensor([color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF]) / 255
        return (rgb.expand(batch_size, height, width, 3).contiguous(),)


class ImagePadForOutpaint:
    """Makes room around a picture, to be drawn."""

    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "expand_image"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sides = {name: whole(0, step=8) for name in ("left", "top", "right", "bottom")}
        return {"required": {**wires(image="IMAGE"), **sides, "feathering": whole(40)}}

    def expand_image(
        self, image: Tensor, left: int, top: int, right: int, bottom: int, feathering: int
    ) -> tuple[Tensor, Tensor]:
        """The picture on grey, and a mask of what is new, fading into the picture over so many pixels."""
        return layout.outpainting_canvas(image, left, top, right, bottom, feathering)
