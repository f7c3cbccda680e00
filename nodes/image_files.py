"""Nodes that read pictures from the input folder and write them to the output folder."""

import hashlib
import io
import math
import string
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random, SystemRandom
from typing import Annotated, Any, NamedTuple

from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from engine.errors import ImageError, PathError
from engine.file_checks import image_exists, prefix_stays_inside
from engine.folders import Folders
from engine.graph.define import Files, Widget, Wire, node
from engine.graph.nodetype import Result
from engine.graph.run import Run
from engine.images import read_frames, to_pil
from engine.metadata import origin, png_info, read_origin, with_origin
from engine.saving import SavedFile, save_numbered, saved_before
from engine.settings import Settings
from nodes.convert import naming, need_image
from nodes.types import ExtraJson, Image, Mask, PromptJson

ImageName = Annotated[str, Files("input", image_upload=True)]
DrawnName = Annotated[
    str,
    Wire(
        "COMBO",
        image_upload=True,
        image_folder="output",
        remote={"route": "/internal/files/output", "refresh_button": True, "control_after_refresh": "first"},
    ),
]
CompareView = Annotated[Any, Wire("IMAGECOMPARE", socketless=True)]
Prefix = Annotated[
    str, Widget(tooltip="Folder and start of the file names; %width%, %year% and the like are filled in.")
]

SAVED_COMPRESSION, PREVIEW_COMPRESSION = 4, 1  # zlib levels. Source: node_behaviour section 4.
MOST_CHANNELS = 4
LOOK_BACK = 1000  # Pictures that others may have saved between a crash and the next attempt; heads are read of no more.


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
def load_image(*, image: ImageName, folders: Folders, run: Run) -> LoadedImage:
    """A picture from the input folder; every frame of an animation.

    image: the file; "a.png [output]" takes it from the output folder.
    MASK: 1 where the picture is transparent.
    """
    with naming("image"):
        frames = read_frames(folders.input_file(image), run.stop_if_cancelled)
    return LoadedImage(frames.images, frames.masks)


@node(
    "LoadImageOutput",
    category="image",
    display_name="Load Image (from Outputs)",
    is_experimental=True,
    fingerprint=image_fingerprint,
    validate=image_exists,
)
def load_image_output(*, image: DrawnName, folders: Folders, run: Run) -> LoadedImage:
    """A picture from the output folder.

    image: the file, as in "a.png [output]".
    MASK: 1 where the picture is transparent.
    """
    return load_image(image=image, folders=folders, run=run)


@node("SaveImage", category="image", display_name="Save Image", is_output=True, validate=prefix_stays_inside)
def save_image(
    *,
    images: Image,
    filename_prefix: Prefix = "ComfyUI",
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
    run: Run,
) -> Result:
    """Write pictures as PNG into the output folder, with the workflow inside."""
    info, pictures = info_of(prompt, extra_pnginfo, settings), savable(images, "images")
    with naming("filename_prefix", PathError):
        files = [*write_pngs(pictures, run, folders.output, filename_prefix, info, SAVED_COMPRESSION)]
    return Result(ui={"images": [{**file, "type": "output"} for file in files]})


@node("PreviewImage", category="image", display_name="Preview Image", is_output=True)
def preview_image(
    *,
    images: Image,
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
    run: Run,
) -> Result:
    """Show pictures without keeping them: they are written to the folder for temporary files."""
    info = info_of(prompt, extra_pnginfo, settings)
    pictures = savable(images, "images")
    return Result(ui={"images": previews(pictures, run, folders, f"ComfyUI_temp_{letters(run)}", info)})


@node("ImageCompare", category="image", display_name="Image Compare", is_output=True)
def image_compare(
    *,
    image_a: Image | None = None,
    image_b: Image | None = None,
    compare_view: CompareView | None = None,
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
    run: Run,
) -> Result:
    """Show two pictures over each other, to be compared; neither is kept.

    compare_view: what the editor keeps for itself.
    """
    info = info_of(prompt, extra_pnginfo, settings)
    both = (("a", image_a), ("b", image_b))
    given = {name: savable(each, f"image_{name}") for name, each in both if each is not None}
    shown = {
        f"{name}_images": previews(each, run, folders, f"comfy.compare.{name}_temp_{letters(run)}", info)
        for name, each in given.items()
    }
    return Result(ui=shown)


def savable(images: object, name: str) -> Tensor:
    """The pictures on a wire, when a file can hold them. Raises: ImageError."""
    pictures = need_image(images, name)
    if pictures.shape[3] > MOST_CHANNELS:
        raise ImageError(
            f"{name}: expected pictures of 1 to {MOST_CHANNELS} channels (grey, RGB or RGBA), got {pictures.shape[3]}."
        )
    return pictures


def previews(
    images: Image, run: Run, folders: Folders, prefix: str, info: PngInfo, compress_level: int = PREVIEW_COMPRESSION
) -> list[Mapping[str, Any]]:
    """Pictures written to the folder for temporary files. Returns: what clients are told of each."""
    files = write_pngs(images, run, folders.temp, prefix, info, compress_level)
    return [{**file, "type": "temp"} for file in files]


def info_of(prompt: PromptJson, extra: ExtraJson, settings: Settings) -> PngInfo:
    """What a PNG says of the graph that made it; nothing with --disable-metadata."""
    return PngInfo() if settings.disable_metadata else png_info(prompt, extra)


def never_the_same() -> float:
    """What no result can be kept by: the pictures must be sent each time."""
    return math.nan


@node(
    "SaveImageWebsocket",
    category="api/image",
    display_name="Send Image (WebSocket)",
    is_output=True,
    fingerprint=never_the_same,
)
def send_image(*, images: Image, run: Run) -> None:
    """Send pictures to the client as PNG over its socket; nothing is written.

    For programs that want the picture itself: binary frames of type 1 with format 2, one for each picture.
    """
    pictures = savable(images, "images")
    for index, image in enumerate(pictures):
        file = io.BytesIO()
        to_pil(image).save(file, format="PNG", compress_level=PREVIEW_COMPRESSION)
        run.preview(file.getvalue(), "image/png")
        run.progress(index + 1, len(pictures))


def write_pngs(
    images: Image, run: Run, root: Path, prefix: str, info: PngInfo, compress_level: int
) -> Iterator[Mapping[str, Any]]:
    """Save each picture of a batch under the next free number; yields what clients are told of each.

    Where the run has a job every picture says so, with --disable-metadata as well: it is what tells a picture that an
    attempt wrote before it was killed. The next attempt shows that one and does not write it twice.
    """
    height, width = images.shape[1:3]
    origins = [origin(job=run.job, node=run.node_id, call=run.call, index=index) for index in range(len(images))]
    written = _written_before(run, origins, saved_before(root, prefix, "png", width=width, height=height))
    for index, image in enumerate(images):
        run.stop_if_cancelled()
        saved = written.get(origins[index])
        if saved is None:
            texts = with_origin(info, origins[index]) if run.job else info
            write = partial(to_pil(image).save, format="PNG", pnginfo=texts, compress_level=compress_level)
            saved = save_numbered(root, prefix, "png", write, width=width, height=height, batch_index=index)
        yield {"filename": saved.filename, "subfolder": saved.subfolder}


def _written_before(run: Run, origins: Sequence[str], newest_first: Iterator[SavedFile]) -> Mapping[str, SavedFile]:
    """The pictures with these origins that an earlier attempt at the job wrote."""
    found: dict[str, SavedFile] = {}
    if not run.job or run.attempt == 1:
        return found
    wanted = set(origins)
    for each in islice(newest_first, LOOK_BACK + len(origins)):
        text = read_origin(each.path)
        if text in wanted:
            wanted.remove(text)
            found[text] = each
        if not wanted:
            break
    return found


def letters(run: Run) -> str:
    """Five letters that keep previews apart; a job's next attempt gets the same, and so finds what there is."""
    source = Random(f"{run.job} {run.node_id}") if run.job else SystemRandom()
    return "".join(source.choices(string.ascii_lowercase, k=5))
