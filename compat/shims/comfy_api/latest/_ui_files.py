"""Files that nodes show or save: pictures, animations and sound, in the folders of this program.

Each is written whole or not at all and gets a number of its own. The workflow goes inside unless --disable-metadata.
"""

import json
import random
import string
import wave
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy
import torch
from PIL.PngImagePlugin import PngInfo

from comfy_api.input_impl.video_types import encoded, pyav, sound_stream
from comfy_api.latest._io_widgets import FolderType
from compat.host import host
from engine.errors import ImageError, LatentwireError
from engine.images import to_pil
from engine.metadata import exif, png_info
from engine.saving import SavedFile, save_numbered

WEBP_METHODS = {"default": 4, "fastest": 0, "slowest": 6}
SAMPLE_RATES_OF_OPUS = (8000, 12000, 16000, 24000, 48000)
BIT_RATES = {"64k": 64_000, "96k": 96_000, "128k": 128_000, "192k": 192_000, "320k": 320_000}
BEST_MP3 = "V0"
"""MP3's own name for its best variable bit rate."""


class SavedResult(dict[str, str]):
    """What the browser is told of a file: its name, sub-folder and folder."""

    def __init__(self, filename: str, subfolder: str, type: FolderType | str) -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=FolderType(type).value)

    @property
    def filename(self) -> str:
        return self["filename"]

    @property
    def subfolder(self) -> str:
        return self["subfolder"]

    @property
    def type(self) -> FolderType:
        return FolderType(self["type"])


def preview_prefix() -> str:
    """A start of file names that keeps previews apart."""
    return f"ComfyUI_temp_{''.join(random.SystemRandom().choices(string.ascii_lowercase, k=5))}"


def save_pngs(
    images: Any, prefix: str, folder: FolderType | str, cls: Any, compress_level: int = 4
) -> list[SavedResult]:
    """Each picture of a batch as a PNG. Shapes: images [B, H, W, C]."""
    pictures = _pictures(images)
    info = _png_info(cls)
    made = []
    for index, image in enumerate(pictures):
        write = partial(to_pil(image).save, format="PNG", pnginfo=info, compress_level=compress_level)
        made.append(_save(folder, prefix, "png", write, pictures, index))
    return made


def save_animation(
    images: Any, prefix: str, folder: FolderType | str, cls: Any, extension: str, **options: Any
) -> SavedResult:
    """A batch as one moving picture. options: what Pillow's encoder takes."""
    pictures = _pictures(images)
    first, *rest = [to_pil(image) for image in pictures]
    inside: dict[str, Any] = {"pnginfo": _png_info(cls)} if extension == "png" else {"exif": exif(*_texts(cls))}
    kind = extension.upper()
    write = partial(first.save, format=kind, save_all=True, append_images=rest, **inside, **options)
    return _save(folder, prefix, extension, write, pictures)


def save_sound(
    audio: Mapping[str, Any], prefix: str, folder: FolderType | str, cls: Any, format: str, quality: str
) -> list[SavedResult]:
    """Each sound of a batch as a file. Shapes: audio["waveform"] [B, C, T].

    WAV needs nothing; FLAC, MP3 and Opus need PyAV.
    Raises: LatentwireError.
    """
    kinds = {"wav": _write_wav, "flac": _write_packed, "mp3": _write_packed, "opus": _write_packed}
    if format not in kinds:
        raise LatentwireError(f"sound can be saved as {', '.join(kinds)}, not as {format!r}")
    waveform = audio["waveform"]
    if waveform.ndim != 3 or 0 in waveform.shape:
        raise LatentwireError(f"expected sound [batch, channels, samples], got a tensor {list(waveform.shape)}")
    made = []
    for index, each in enumerate(waveform.detach().float().cpu()):
        sound = {"waveform": each, "sample_rate": int(audio["sample_rate"])}
        write = partial(kinds[format], sound=sound, format=format, quality=quality, texts=_texts(cls))
        made.append(_save(folder, prefix, format, write, None, index))
    return made


def has_pyav() -> bool:
    """Whether packed sound and videos can be written."""
    try:
        pyav("")
    except LatentwireError:
        return False
    return True


def _save(
    folder: FolderType | str,
    prefix: str,
    extension: str,
    write: Callable[[BinaryIO], Any],
    pictures: torch.Tensor | None,
    index: int = 0,
) -> SavedResult:
    root: Path = getattr(host().folders, FolderType(folder).value)
    height, width = (0, 0) if pictures is None else pictures.shape[1:3]
    saved: SavedFile = save_numbered(root, prefix, extension, write, width=width, height=height, batch_index=index)
    return SavedResult(saved.filename, saved.subfolder, folder)


def _pictures(images: Any) -> torch.Tensor:
    """The batch. Raises: ImageError."""
    batch = torch.stack([*images]) if isinstance(images, Sequence) else images
    if not isinstance(batch, torch.Tensor):
        raise ImageError(f"expected pictures [batch, height, width, channels], got {type(batch).__name__}")
    batch = batch.unsqueeze(0) if batch.ndim == 3 else batch
    if batch.ndim != 4 or 0 in batch.shape:
        raise ImageError(f"expected pictures [batch, height, width, channels], got a tensor {list(batch.shape)}")
    return batch


def _texts(cls: Any) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The prompt and what came with it, from the node's hidden values; nothing, where the user wants none."""
    hidden = getattr(cls, "hidden", None)
    if hidden is None or host().settings.disable_metadata:
        return None, None
    return hidden.prompt, hidden.extra_pnginfo


def _png_info(cls: Any) -> PngInfo:
    return png_info(*_texts(cls))


def _write_wav(file: BinaryIO, *, sound: Mapping[str, Any], format: str, quality: str, texts: Any) -> None:
    """16 bits a sample, which every player reads."""
    waveform = sound["waveform"].clamp(-1.0, 1.0)
    samples = numpy.ascontiguousarray((waveform * 32767.0).round().to(torch.int16).numpy().T)
    with wave.open(file, "wb") as writer:
        writer.setnchannels(waveform.shape[0])
        writer.setsampwidth(2)
        writer.setframerate(sound["sample_rate"])
        writer.writeframes(samples.astype("<i2").tobytes())


def _write_packed(file: BinaryIO, *, sound: Mapping[str, Any], format: str, quality: str, texts: Any) -> None:
    av = pyav(f"saving sound as {format.upper()}")
    rate = sound["sample_rate"]
    if format == "opus":
        rate = next((each for each in SAMPLE_RATES_OF_OPUS if each >= rate), SAMPLE_RATES_OF_OPUS[-1])
    prompt, extra = texts
    named = {**({} if prompt is None else {"prompt": prompt}), **(extra or {})}
    with av.open(file, mode="w", format={"opus": "ogg"}.get(format, format)) as container:
        for key, value in named.items():
            container.metadata[key] = json.dumps(value)
        codec = {"mp3": "libmp3lame", "opus": "libopus"}.get(format, format)
        stream = sound_stream(container, codec, rate, sound["waveform"])
        if format == "mp3" and quality == BEST_MP3:
            stream.codec_context.qscale = 1
        elif format in ("mp3", "opus"):
            stream.bit_rate = BIT_RATES.get(quality, BIT_RATES["128k"])
        for packet in encoded(av, stream, sound["waveform"], sound["sample_rate"]):
            container.mux(packet)
