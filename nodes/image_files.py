"""Nodes that read pictures from the input folder and write them to the output folder."""

import hashlib
import math
import secrets
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

from PIL.PngImagePlugin import PngInfo

from engine.errors import PathError
from engine.file_checks import image_exists, prefix_stays_inside
from engine.folders import Folders
from engine.graph.define import Files, Widget, node
from engine.graph.nodetype import Result
from engine.images import read_frames, to_pil
from engine.metadata import png_info
from engine.saving import save_numbered
from engine.settings import Settings
from nodes.convert import naming, need_image
from nodes.types import ExtraJson, Image, Mask, PromptJson

ImageName = Annotated[str, Files("input", image_upload=True)]
Prefix = Annotated[
    str, Widget(tooltip="Folder and start of the file names; %width%, %year% and the like are filled in.")
]

SAVED_COMPRESSION, PREVIEW_COMPRESSION = 4, 1  # zlib levels. Source: node_behaviour section 4.


class LoadedImage(NamedTuple):
    """A picture and what is transparent in it."""

    IMAGE: Image
    MASK: Mask


def image_fingerprint(image: str | None, folders: Folders) -> str | float:
    """The file's content as a hash, so that a changed file is read again; NaN while its name is not known."""
    if image is None:
        return math.nan
    with folders.input_file(image).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@node("LoadImage", category="image", display_name="Load Image", fingerprint=image_fingerprint, validate=image_exists)
def load_image(*, image: ImageName, folders: Folders) -> LoadedImage:
    """A picture from the input folder; every frame of an animation.

    image: the file; "a.png [output]" takes it from the output folder.
    MASK: 1 where the picture is transparent.
    """
    with naming("image"):
        frames = read_frames(folders.input_file(image))
    return LoadedImage(frames.images, frames.masks)


@node("SaveImage", category="image", display_name="Save Image", is_output=True, validate=prefix_stays_inside)
def save_image(
    *,
    images: Image,
    filename_prefix: Prefix = "ComfyUI",
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
) -> Result:
    """Write pictures as PNG into the output folder, with the workflow inside."""
    info = None if settings.disable_metadata else png_info(prompt, extra_pnginfo)
    with naming("filename_prefix", PathError):
        files = [*write_pngs(images, folders.output, filename_prefix, info, SAVED_COMPRESSION)]
    return Result(ui={"images": [{**file, "type": "output"} for file in files]})


@node("PreviewImage", category="image", display_name="Preview Image", is_output=True)
def preview_image(
    *,
    images: Image,
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
) -> Result:
    """Show pictures without keeping them: they are written to the folder for temporary files."""
    info = None if settings.disable_metadata else png_info(prompt, extra_pnginfo)
    prefix = "ComfyUI_temp_" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(5))
    files = write_pngs(images, folders.temp, prefix, info, PREVIEW_COMPRESSION)
    return Result(ui={"images": [{**file, "type": "temp"} for file in files]})


def write_pngs(
    images: Image, root: Path, prefix: str, info: PngInfo | None, compress_level: int
) -> Iterator[Mapping[str, Any]]:
    """Save each picture of a batch under the next free number; yields what clients are told of each."""
    height, width = need_image(images, "images").shape[1:3]
    for index, image in enumerate(images):
        picture = to_pil(image)

        def write(file: BinaryIO) -> None:
            picture.save(file, "PNG", pnginfo=info, compress_level=compress_level)  # noqa: B023 (called at once)

        saved = save_numbered(root, prefix, "png", write, width=width, height=height, batch_index=index)
        yield {"filename": saved.filename, "subfolder": saved.subfolder}
