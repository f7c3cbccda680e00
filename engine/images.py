"""Pictures as tensors: resizing, and the way from and to image files.

A picture is [B, H, W, C] float32 in 0..1. Resizing works on [B, C, H, W], because latents and masks are resized by the
same rules. Nothing here knows of models or graphs.
"""

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, ImageSequence, UnidentifiedImageError
from torch import Tensor
from torch.nn.functional import interpolate

from engine.devices import memory
from engine.errors import ImageError, OutOfMemory
from engine.shapes import crop_to_aspect

METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")
LATENT_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "bislerp")

CPU = torch.device("cpu")

Check = Callable[[], None]
"""Called between pictures; raises to stop."""

MAX_SIDE = 16384  # ComfyUI's largest width or height of anything; every size widget ends there.
MAX_PIXELS = 178_956_970  # Pillow's own limit: above it a small file is taken for a decompression bomb.
MAX_FRAME_PIXELS = 4 * MAX_PIXELS  # All frames of an animation together: about 8 GB as float32 RGB.

# Formats that Pillow hands to another program (Ghostscript) or to the operating system.
UNSAFE_FORMATS = frozenset({"EPS", "WMF"})

# Same direction: acos loses all its digits there. Source: node_behaviour 0.2.
PARALLEL = 1.0 - 1e-5

_BANDS_TO_MODE = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


# ---------------------------------------------------------------------------------------------------------- resizing


def resize(
    x: Tensor, width: int, height: int, method: str, crop: str = "disabled", check: Check = lambda: None
) -> Tensor:
    """Bring pictures or latents to another size.

    `crop` "center" first cuts the source to the target's aspect, anything else stretches. "bicubic" may overshoot 0..1;
    "lanczos" goes through 8 bits. `check` is called before each picture and raises to stop.
    Shapes: x [B, C, H, W] or [B, C, F, H, W] (each frame by itself). Returns: the same with H = height, W = width.
    Raises: ImageError.
    """
    if width < 1 or height < 1 or 0 in x.shape:
        raise ImageError(f"Cannot resize {_size(x)} to {width}×{height}: every side must be at least 1.")
    need_room((*x.shape[:-2], height, width), x.device)
    if x.ndim == 5:
        frames = x.movedim(2, 1)
        resized = resize(frames.flatten(0, 1), width, height, method, crop, check)
        return resized.reshape(*frames.shape[:2], *resized.shape[1:]).movedim(1, 2)
    if crop == "center":
        x = crop_to_aspect(x, width, height)
    return _one_by_one(x, _resizer(method, width, height), check)


def _resizer(method: str, width: int, height: int) -> Callable[[Tensor], Tensor]:
    if method == "lanczos":
        return lambda x: _lanczos(x, width, height)
    if method == "bislerp":
        return lambda x: _bislerp(x, width, height)
    if method not in METHODS:
        raise ImageError(f"Unknown way to resize {method!r}; expected one of {', '.join((*METHODS, 'bislerp'))}.")
    return lambda x: interpolate(x, size=(height, width), mode=method)


def _one_by_one(x: Tensor, work: Callable[[Tensor], Tensor], check: Check) -> Tensor:
    """The work done picture by picture, so that it can be stopped between them; written where the result will be."""
    check()
    first = work(x[:1])
    if len(x) == 1:
        return first
    is_last = first.is_contiguous(memory_format=torch.channels_last)  # as pictures are: the layout stays theirs
    layout = torch.channels_last if is_last else torch.contiguous_format
    result = torch.empty((len(x), *first.shape[1:]), dtype=first.dtype, device=first.device, memory_format=layout)
    result[:1] = first
    for index in range(1, len(x)):
        check()
        result[index : index + 1] = work(x[index : index + 1])
    return result


def need_room(shape: Sequence[int], device: torch.device = CPU) -> None:
    """Makes sure that so many float32 numbers fit, before the system has to end the program for lack of memory.

    Raises: OutOfMemory.
    """
    wanted, free = 4 * math.prod(shape), memory.free(device)
    if wanted > free:
        raise OutOfMemory(
            f"{'×'.join(map(str, shape))} numbers need {memory.readable(wanted)}, but only {memory.readable(free)} are "
            f"free on {device}; ask for smaller or fewer pictures."
        )


def resize_image(
    image: Tensor, width: int, height: int, method: str, crop: str = "disabled", check: Check = lambda: None
) -> Tensor:
    """`resize` for pictures with their channels last. Shapes: image [B, H, W, C]."""
    return resize(image.movedim(-1, 1), width, height, method, crop, check).movedim(1, -1)


def resize_mask(mask: Tensor, width: int, height: int) -> Tensor:
    """Masks of any batch shape, stretched bilinearly. Shapes: mask [..., H, W] → [B, 1, height, width]."""
    return resize(as_masks(mask), width, height, "bilinear")


def as_masks(mask: Tensor) -> Tensor:
    """A mask with or without batch and channel axes, as [B, 1, H, W]."""
    if mask.ndim < 2:
        raise ImageError(f"Expected a mask [batch, height, width], got a tensor of shape {list(mask.shape)}.")
    return mask.reshape(-1, 1, *mask.shape[-2:])


def crop_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Cut the last two axes, around the centre, to multiples of a number. Shapes: x [..., H, W]."""
    for axis in (-2, -1):
        size = x.shape[axis]
        x = x.narrow(axis, (size % multiple) // 2, size // multiple * multiple)
    return x


def _lanczos(x: Tensor, width: int, height: int) -> Tensor:
    """Shapes: x [1, C, H, W]."""
    picture = to_pil(x[0].movedim(0, -1)).resize((width, height), Image.Resampling.LANCZOS)
    return from_pil(picture).movedim(-1, 1).to(x)


def _bislerp(x: Tensor, width: int, height: int) -> Tensor:
    """Spherical interpolation of the channel vectors, along rows and then along columns."""
    wide = _slerp_last_axis(x.float(), width)
    return _slerp_last_axis(wide.mT, height).mT.to(x.dtype)


def _slerp_last_axis(x: Tensor, length: int) -> Tensor:
    """Shapes: x [B, C, H, W] → [B, C, H, length]."""
    left, right, ratio = _bilinear_positions(x.shape[-1], length, x.device)
    return slerp(x[..., left], x[..., right], ratio)


def _bilinear_positions(old: int, new: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Which two cells each new cell lies between, and how far it is from the first."""
    ramp = torch.arange(old, dtype=torch.float32, device=device)
    following = (ramp + 1).clamp(max=old - 1)

    def positions(values: Tensor) -> Tensor:
        return interpolate(values[None, None, None], size=(1, new), mode="bilinear")[0, 0, 0]

    first = positions(ramp)
    return first.long(), positions(following).long(), first - first.floor()


def slerp(a: Tensor, b: Tensor, ratio: Tensor) -> Tensor:
    """Turn the channel vector a towards b by a share of the angle between them; the length changes linearly.

    Shapes: a, b [B, C, H, W]; ratio broadcasts against them.
    """
    a_length, b_length = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    a_unit, b_unit = (a / a_length).nan_to_num(0, 0, 0), (b / b_length).nan_to_num(0, 0, 0)
    cosine = (a_unit * b_unit).sum(dim=1, keepdim=True)
    angle = torch.acos(cosine.clamp(-1, 1))
    turned = (torch.sin((1 - ratio) * angle) * a_unit + torch.sin(ratio * angle) * b_unit) / torch.sin(angle)
    mixed = turned * (a_length * (1 - ratio) + b_length * ratio)
    mixed = torch.where(cosine > PARALLEL, a, mixed)
    return torch.where(cosine < -PARALLEL, a * (1 - ratio) + b * ratio, mixed)


# --------------------------------------------------------------------------------------------------- 8 bits and Pillow


def to_uint8(image: Tensor) -> NDArray[numpy.uint8]:
    """0..1 as bytes, rounded down as ComfyUI saves them; NaN is black. Shapes: any."""
    scaled = image.detach().float().cpu().mul(255).nan_to_num(0.0, 255.0, 0.0).clamp(0, 255)
    return scaled.to(torch.uint8).numpy()


def to_pil(image: Tensor) -> Image.Image:
    """One picture for Pillow: grey, grey with alpha, RGB or RGBA by its channels.

    Shapes: image [H, W, C]. Raises: ImageError.
    """
    mode = _BANDS_TO_MODE.get(image.shape[-1]) if image.ndim == 3 else None
    if mode is None or 0 in image.shape:
        raise ImageError(
            f"Expected a picture [height, width, 1 to 4 channels], got a tensor of shape {list(image.shape)}."
        )
    pixels = numpy.ascontiguousarray(to_uint8(image))
    return Image.fromarray(pixels[..., 0] if mode == "L" else pixels)


def from_pil(picture: Image.Image) -> Tensor:
    """A picture of Pillow's as a batch of one, bands as they are. Returns: [1, H, W, C]."""
    pixels = numpy.asarray(picture).astype(numpy.float32) / 255.0
    return torch.from_numpy(pixels.reshape(1, picture.height, picture.width, -1))


# ------------------------------------------------------------------------------------------------------- image files


@dataclass(frozen=True)
class Frames:
    """What an image file holds: pictures [B, H, W, 3], and masks [B, H, W] where 1 is transparent.

    Without any transparency in the file `masks` is [B, 64, 64] of zeros, whatever the size of the pictures.
    """

    images: Tensor
    masks: Tensor


def read_frames(path: Path, check: Check = lambda: None) -> Frames:
    """All frames of an image file, turned as its EXIF says; frames of another size than the first are left out.

    `check` is called before each frame and raises to stop.
    Raises: ImageError, when it is no picture or a too large one.
    """
    images: list[Tensor] = []
    masks: list[Tensor | None] = []
    for frame in _frames(path):
        check()
        if images and frame.size != (images[0].shape[2], images[0].shape[1]):
            continue
        images.append(from_pil(frame.convert("RGB")))
        masks.append(_transparency(frame))
        _check_total(path, images)
    return Frames(torch.cat(images), _stack_masks(masks, images[0]))


def read_channel(path: Path, channel: str) -> Tensor:
    """One channel of the first frame as a mask; "alpha" is turned over, so that 1 is transparent.

    Returns: [1, H, W]. Raises: ImageError.
    """
    frame = next(_frames(path)).convert("RGBA")
    values = from_pil(frame.getchannel({"alpha": "A", "red": "R", "green": "G", "blue": "B"}[channel]))[..., 0]
    return 1.0 - values if channel == "alpha" else values


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """A picture file, checked by its header before anything of it is decoded.

    Raises: ImageError, also for whatever Pillow raises while it is being read inside the `with`.
    """
    name = path.name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
        with picture:
            _check_header(name, picture)
            yield picture
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: the picture has more than {MAX_PIXELS:,} pixels; make it smaller.") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not a picture ({_kind_of(path)}); expected PNG, JPEG, WebP or the like.") from error
    except FileNotFoundError as error:
        raise ImageError(f"{name}: there is no such file; it may have been moved or deleted.") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, KeyError) as error:
        # Pillow's plugins raise all of these on damaged files; none of them says which file it was.
        raise ImageError(f"{name}: the picture is damaged and cannot be read ({error}).") from error


def _check_header(name: str, picture: Image.Image) -> None:
    width, height = picture.size
    if picture.format in UNSAFE_FORMATS:
        raise ImageError(f"{name}: {picture.format} files are not opened; save it as PNG first.")
    if max(width, height) > MAX_SIDE:
        raise ImageError(
            f"{name}: the picture is {width}×{height} pixels, the limit is {MAX_SIDE} on a side; make it smaller."
        )
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name}: the picture is {width}×{height} = {width * height:,} pixels, the limit is {MAX_PIXELS:,}; "
            "make it smaller."
        )


def _frames(path: Path) -> Iterator[Image.Image]:
    """The frames, decoded, the right way up, 32-bit grey brought to 8 bits."""
    with open_picture(path) as picture:
        for frame in ImageSequence.Iterator(picture):
            _load(frame, path.name)
            yield _to_8_bits(ImageOps.exif_transpose(frame))
            if picture.format == "MPO":  # The other frames are other views or thumbnails, not an animation.
                break


def _load(frame: Image.Image, name: str) -> None:
    """Decode, and where the end of the file is missing take what there is, as ComfyUI does."""
    try:
        frame.load()
    except (OSError, SyntaxError, ValueError) as error:
        logging.getLogger(__name__).warning("%s: %s; the missing part is left blank.", name, error)
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            frame.load()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False


def _to_8_bits(frame: Image.Image) -> Image.Image:
    if not frame.mode.startswith("I"):
        return frame
    # ComfyUI: 65535 / 255 = 257, cut to white. (16-bit files were mode "I" in older Pillows.)
    scaled: Image.Image = frame.convert("I").point(lambda value: value * (1 / 255))
    return scaled.convert("L")


def _transparency(frame: Image.Image) -> Tensor | None:
    if "A" in frame.getbands():
        alpha = frame.getchannel("A")
    elif frame.mode == "P" and "transparency" in frame.info:
        alpha = frame.convert("RGBA").getchannel("A")
    else:
        return None
    return 1.0 - from_pil(alpha)[..., 0]


def _stack_masks(masks: list[Tensor | None], like: Tensor) -> Tensor:
    if all(mask is None for mask in masks):
        return torch.zeros(len(masks), 64, 64)
    opaque = torch.zeros(like.shape[:3])
    return torch.cat([opaque if mask is None else mask for mask in masks])


def _check_total(path: Path, images: list[Tensor]) -> None:
    height, width = images[0].shape[1:3]
    if len(images) * height * width > MAX_FRAME_PIXELS:
        raise ImageError(
            f"{path.name}: more than {len(images) - 1} frames of {width}×{height} do not fit the limit of "
            f"{MAX_FRAME_PIXELS:,} pixels for a whole animation; cut it into parts."
        )


def _kind_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return "it cannot be opened"
    return f"it starts with {start!r}" if start else "the file is empty"


def _size(x: Tensor) -> str:
    return "×".join(str(side) for side in x.shape)
