"""Pictures one after the other in one file, with the workflow inside."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from engine.errors import ImageError
from engine.images import Check, to_pil
from engine.metadata import exif, texts

WEBP_METHODS = {"default": 4, "fastest": 0, "slowest": 6}
"""How long Pillow's encoder searches, by the names in the menu."""

WEBP_SIDE = 16383  # pixels; the format has 14 bits for a side

Write = Callable[[BinaryIO], None]
"""Writes a file's bytes."""


def webp(
    images: Tensor,
    fps: float,
    said: Mapping[str, Any],
    *,
    lossless: bool = True,
    quality: int = 80,
    method: str = "default",
    check: Check = lambda: None,
) -> Write:
    """An animated WebP. `said` is what it tells of its graph: prompt, workflow …

    Shapes: images [B, H, W, C]. Raises: ImageError, for sides that the format has no room for.
    """
    if max(images.shape[1:3]) > WEBP_SIDE:
        size = f"{images.shape[2]}×{images.shape[1]}"
        raise ImageError(f"WebP holds at most {WEBP_SIDE} pixels on a side, the pictures are {size}; save them as PNG.")
    first, rest = _frames(images, check)
    prompt = said.get("prompt")
    others = {name: value for name, value in said.items() if name != "prompt"}
    options = {"lossless": lossless, "quality": quality, "method": WEBP_METHODS[method], "exif": exif(prompt, others)}
    return _writer(first, "WEBP", rest, fps, options)


def png(
    images: Tensor, fps: float, said: Mapping[str, Any], *, compress_level: int = 4, check: Check = lambda: None
) -> Write:
    """An animated PNG; as `webp`."""
    info = PngInfo()
    for name, text in texts(None, said).items():
        # ComfyUI: a chunk of its own kind behind the pixels, as text chunks of animations get lost in many programs.
        info.add(b"comf", name.encode("latin-1", "strict") + b"\0" + text.encode("latin-1", "strict"), after_idat=True)
    first, rest = _frames(images, check)
    return _writer(first, "PNG", rest, fps, {"pnginfo": info, "compress_level": compress_level})


def _frames(images: Tensor, check: Check) -> tuple[Image.Image, Sequence[Image.Image]]:
    made = []
    for each in images:
        check()
        made.append(to_pil(each))
    return made[0], made[1:]


def _writer(
    first: Image.Image, format: str, rest: Sequence[Image.Image], fps: float, options: Mapping[str, Any]
) -> Write:
    duration = int(1000.0 / fps)  # milliseconds

    def write(file: BinaryIO) -> None:
        first.save(file, format=format, save_all=True, append_images=rest, duration=duration, **options)

    return write
