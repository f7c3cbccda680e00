"""Nodes that write pictures as one animation."""

from typing import Annotated, Any

from engine.errors import PathError
from engine.file_checks import prefix_stays_inside
from engine.folders import Folders
from engine.graph.define import Choices, Widget, node
from engine.graph.nodetype import Result
from engine.graph.run import Run
from engine.pictures import animation
from engine.saving import save_numbered
from engine.settings import Settings
from nodes.convert import naming
from nodes.image_files import Prefix, savable
from nodes.types import ExtraJson, Image, PromptJson

Fps = Annotated[float, Widget(min=0.01, max=1000.0, step=0.01, tooltip="Pictures a second.")]
Quality = Annotated[int, Widget(min=0, max=100)]
Method = Annotated[str, Choices(tuple(animation.WEBP_METHODS), tooltip="How long to search for a smaller file.")]
CompressLevel = Annotated[int, Widget(min=0, max=9)]


@node("SaveAnimatedWEBP", category="image/animation", is_output=True, validate=prefix_stays_inside)
def save_animated_webp(
    *,
    images: Image,
    filename_prefix: Prefix = "ComfyUI",
    fps: Fps = 6.0,
    lossless: bool = True,
    quality: Quality = 80,
    method: Method,
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
    run: Run,
) -> Result:
    """Write pictures as an animated WebP into the output folder, with the workflow inside."""
    given, said = savable(images, "images"), _said(prompt, extra_pnginfo, settings)
    check = run.stop_if_cancelled
    write = animation.webp(given, fps, said, lossless=lossless, quality=quality, method=method, check=check)
    return _saved(folders, filename_prefix, "webp", write, given, is_animated=len(given) > 1)


@node("SaveAnimatedPNG", category="image/animation", is_output=True, validate=prefix_stays_inside)
def save_animated_png(
    *,
    images: Image,
    filename_prefix: Prefix = "ComfyUI",
    fps: Fps = 6.0,
    compress_level: CompressLevel = 4,
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
    run: Run,
) -> Result:
    """Write pictures as an animated PNG into the output folder, with the workflow inside."""
    given, said = savable(images, "images"), _said(prompt, extra_pnginfo, settings)
    write = animation.png(given, fps, said, compress_level=compress_level, check=run.stop_if_cancelled)
    return _saved(folders, filename_prefix, "png", write, given, is_animated=True)


def _said(prompt: PromptJson, extra: ExtraJson, settings: Settings) -> dict[str, Any]:
    """What the file tells of its graph."""
    return {} if settings.disable_metadata else {**({} if prompt is None else {"prompt": prompt}), **(extra or {})}


def _saved(
    folders: Folders, prefix: str, extension: str, write: animation.Write, images: Image, *, is_animated: bool
) -> Result:
    height, width = images.shape[1:3]
    with naming("filename_prefix", PathError):
        saved = save_numbered(folders.output, prefix, extension, write, width=width, height=height)
    shown = {"filename": saved.filename, "subfolder": saved.subfolder, "type": "output"}
    return Result(ui={"images": [shown], "animated": [is_animated]})
