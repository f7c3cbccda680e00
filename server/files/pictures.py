"""Pictures changed for a client: previews, single channels, masks painted over a picture.

Pillow is imported where it is used: the server starts without it. Everything here takes long; `Desk` keeps it off the
event loop and bounds how much of it happens at once.
"""

import asyncio
import io
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ParamSpec, TypeVar

from aiohttp import web

from engine.errors import ImageError
from server.requests.refusal import Refused

if TYPE_CHECKING:
    from PIL.Image import Image

AT_ONCE = 2
MAX_PIXELS = 1 << 26  # 8192 × 8192; a picture of that size takes 256 MB here, and AT_ONCE may be open
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO")
"""What is opened; other formats of Pillow's are rare, and some run other programs."""

MAX_JPEG_PIXELS = 1 << 28
"""Of a JPEG that is decoded to a fraction of its size, row by row. Progressive ones cannot be: they are held whole."""

DEFAULT_QUALITY = 90

FAIR = 3.0
"""How much larger a picture may be before it is shrunk with care. Source: Pillow's documentation, `reducing_gap`."""

_ORIENTATION = 0x0112  # EXIF
_LYING = (5, 6, 7, 8)  # orientations that swap width and height
_EXIF_FIRST = ("JPEG", "MPO", "WEBP")
_JPEG = b"\xff\xd8\xff"

_DAMAGES = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, KeyError, OverflowError)
"""What Pillow raises for damaged files."""

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Desk:
    """Where pictures are worked on: a few threads of their own, so that no flood of previews takes all memory."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pictures")

    async def work(self, function: Callable[_Given, _Result], *args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        """Calls a function of this module (or any other) when it is its turn."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Forgets what nobody began to work on; what was begun is finished."""
        self._threads.shutdown(wait=False, cancel_futures=True)


DESK = web.AppKey("desk", Desk)


def preview(path: Path, wanted: str, channel: str, side: int | None = None) -> tuple[bytes, str]:
    """The picture as a small file, without its metadata. wanted: "webp" or "jpeg", ";" and a quality.

    side: the most that its longer side may have, in pixels. A channel with alpha, and anything that is not understood,
    makes it a WebP. Returns: bytes and their type. Raises: ImageError, Refused.
    """
    format, quality = _format(wanted, channel)
    with opened(path, side=side) as file:
        picture = upright(file) if side is None else _shrunk(file, side)
        keeps_alpha = _has_alpha(picture) and format != "jpeg" and channel != "rgb"
        picture = picture.convert("RGBA") if keeps_alpha else _colours(picture)
    return _encoded(picture, format, quality=quality), f"image/{format}"


def _format(wanted: str, channel: str) -> tuple[str, int]:
    format, _, given = wanted.partition(";")
    if format not in ("webp", "jpeg") or "a" in channel:
        format = "webp"
    is_number = given.isascii() and given.isdigit() and len(given) <= 3
    return format, min(max(int(given), 1), 100) if is_number else DEFAULT_QUALITY


def _shrunk(file: "Image", side: int) -> "Image":
    """The picture upright, its longer side at most so long."""
    from PIL import Image

    if file.mode in ("L", "LA", "RGB", "RGBA"):
        file.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=FAIR)
        return upright(file)
    picture = upright(file)  # palettes and deep pictures cannot be mixed as they are
    picture = picture.convert("RGBA" if _has_alpha(picture) else "RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=FAIR)
    return picture


def size_of(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture, upright as it is shown, from its header; None where that cannot be read."""
    from PIL import Image

    Image.init()
    try:
        with _open(path, is_light=True) as file:
            width, height = file.size
            # Of a PNG these data come last, and all of it would be decoded for them.
            turned = file.format in _EXIF_FIRST and file.getexif().get(_ORIENTATION, 1) in _LYING
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, *_DAMAGES):
        return None
    return (height, width) if turned else (width, height)


def without_alpha(path: Path) -> bytes:
    """The picture as a PNG of its colours alone. Raises: ImageError."""
    with opened(path) as file:
        picture = _colours(upright(file))
    return _encoded(picture, "png", compress_level=1)


def alpha_only(path: Path) -> bytes:
    """A black PNG whose alpha is the picture's, opaque where it has none. Raises: ImageError."""
    from PIL import Image

    with opened(path) as file:
        alpha = _alpha(upright(file))
    black = Image.new("RGBA", alpha.size)
    black.putalpha(alpha)
    return _encoded(black, "png", compress_level=1)


def write_masked(original: Path, painted: Path, target: BinaryIO) -> None:
    """Writes a PNG with the colours and texts of one picture and the alpha of another of the same size.

    Raises: ImageError.
    """
    from PIL.PngImagePlugin import PngInfo

    with opened(painted, "the uploaded mask") as file:
        alpha = _alpha(upright(file))
    info = PngInfo()
    with opened(original) as file:
        picture = _colours(upright(file))
        for key, text in _texts(file).items():
            info.add_text(key, text)
    if picture.size != alpha.size:
        sizes = " and ".join("×".join(map(str, size)) for size in (alpha.size, picture.size))
        raise ImageError(f"a mask and its picture must be of one size; these are {sizes} pixels")
    picture.putalpha(alpha)
    picture.save(target, "PNG", compress_level=4, pnginfo=info)


@contextmanager
def opened(path: Path, name: str = "", *, side: int | None = None) -> Iterator["Image"]:
    """A picture file, its size looked at before anything is decoded; to be decoded inside the `with`.

    side: no more than that is needed of its longer side, so a JPEG may be decoded to a fraction of its size.
    Raises: ImageError, also for what Pillow raises inside the `with`; Refused with 413, for one with too many pixels.
    """
    from PIL import Image, UnidentifiedImageError

    name = name or path.name
    Image.init()
    try:
        with _open(path, is_light=side is not None) as picture:
            width, height = picture.size
            if side is not None and width * height <= MAX_JPEG_PIXELS and "progressive" not in picture.info:
                picture.draft(None, (int(side * FAIR), int(side * FAIR)))
            if picture.width * picture.height > MAX_PIXELS:
                raise _too_many(name, f"{width}×{height}")
            yield picture
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: no picture of a kind that can be shown; expected PNG, JPEG, WebP or the like"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        count = re.search(r"\((\d+) pixels\)", str(error))
        raise _too_many(name, f"{int(count[1]):,}" if count else "far more") from error
    except MemoryError as error:
        raise ImageError(f"{name}: there is not enough memory to open this picture") from error
    except _DAMAGES as error:
        raise ImageError(f"{name}: the picture is damaged and cannot be read ({error})"[:400]) from error


def _open(path: Path, *, is_light: bool) -> "Image":
    """A picture file. is_light: not all of it will be decoded, so a JPEG may be larger than Pillow takes for safe."""
    from PIL import Image
    from PIL.JpegImagePlugin import JpegImageFile

    if is_light:
        with open(path, "rb") as file:
            is_jpeg = file.read(len(_JPEG)) == _JPEG
        if is_jpeg:
            return JpegImageFile(path)
    return Image.open(path, formats=[each for each in FORMATS if each in Image.OPEN])


def _too_many(name: str, size: str) -> Refused:
    return Refused(
        413,
        f"{name}: pictures of up to {MAX_PIXELS:,} pixels can be changed here, this one has {size}; "
        "ask for the file as it is",
    )


def upright(file: "Image") -> "Image":
    """The picture as its EXIF data say it should be seen, with 8 bits per channel. Shares its memory with the file."""
    from PIL import ImageOps

    file.load()
    picture = ImageOps.exif_transpose(file) if file.getexif().get(_ORIENTATION, 1) != 1 else file
    if picture.mode.startswith("I"):
        # 65535 / 257 is white; Pillow itself would cut everything above 255 to white.
        return picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    return picture.convert("L") if picture.mode == "F" else picture


def _colours(picture: "Image") -> "Image":
    # By way of RGBA: Pillow has no rule for a palette with transparency.
    return (picture.convert("RGBA") if _has_alpha(picture) else picture).convert("RGB")


def _alpha(picture: "Image") -> "Image":
    from PIL import Image

    return picture.convert("RGBA").getchannel("A") if _has_alpha(picture) else Image.new("L", picture.size, 255)


def _has_alpha(picture: "Image") -> bool:
    return picture.has_transparency_data


def _texts(file: "Image") -> dict[str, str]:
    """The text chunks of a PNG; of other formats nothing."""
    found = getattr(file, "text", None)
    return {key: text for key, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def _encoded(picture: "Image", format: str, **options: int) -> bytes:
    picture.info = {}  # colour profiles and texts of the original are no part of what was asked for
    target = io.BytesIO()
    try:
        picture.save(target, format.upper(), **options)
    except (OSError, ValueError) as error:
        raise ImageError(f"this picture cannot be written as {format} ({error})") from error
    return target.getvalue()
