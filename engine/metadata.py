"""Workflows inside pictures: JSON texts in PNG text chunks and in the EXIF data of WebP and JPEG files.

Reading trusts nothing: every length is checked against what is there and everything unpacked has a bound. No picture is
decoded, so a damaged or huge one costs nothing. Writing uses Pillow.
"""

import io
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.errors import PathError

KEYS = ("workflow", "prompt")
"""The texts that hold a graph: the editor's own format, and the graph as it was run."""

ORIGIN = "latentwire"
"""The text that says which job made a picture."""

LARGEST_TEXT = 64 << 20  # bytes; three times the largest prompt the server takes
_MOST_TAGS = 4096  # EXIF entries looked at; a camera writes about a hundred

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_MAKE, _MODEL = 0x010F, 0x0110
_EXIF_FOLDER = 0x8769
_TEXT_TYPES = frozenset({1, 2, 7, 129})  # BYTE, ASCII, UNDEFINED, UTF-8; one byte per item each


def is_picture(head: bytes) -> bool:
    """Whether a file that begins like this is one `read_workflow` can look into."""
    return head.startswith((_PNG, _JPEG)) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def read_workflow(source: Path | bytes) -> dict[str, str]:
    """The JSON texts a picture carries, by "workflow" and "prompt"; empty when it has none or is no picture.

    PNG: chunks tEXt, zTXt, iTXt and comf (animations). WebP and JPEG: EXIF texts "workflow:{…}" and "prompt:{…}".
    Raises: PathError when the file cannot be read.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source))
    try:
        with open(source, "rb") as file:
            return _read(file)
    except (OSError, ValueError) as error:
        raise PathError(f"{source}: cannot be read ({error})") from error


def read_origin(path: Path) -> str | None:
    """The origin of a PNG that `with_origin` wrote; None for any other file. Only the head of the file is read."""
    try:
        with open(path, "rb") as file:
            if file.read(len(_PNG)) != _PNG:
                return None
            key, text = next(_png_texts(file), ("", ""))
    except OSError:
        return None
    return text if key == ORIGIN else None


def origin(*, job: str, node: str, call: int, index: int) -> str:
    """Says of a picture: the job that made it, the node, which of the node's calls, and its place in the batch."""
    return json.dumps({"job": job, "node": node, "call": call, "index": index})


def with_origin(info: PngInfo, origin: str) -> PngInfo:
    """The same text chunks with the picture's origin before them, where it is found at once."""
    made = PngInfo()
    made.add_text(ORIGIN, origin)
    made.chunks += info.chunks
    return made


def png_info(prompt: Mapping[str, Any] | None, extra: Mapping[str, Any] | None = None) -> PngInfo:
    """The text chunks of a saved PNG: `prompt`, and one per key of `extra` (normally `workflow`), as JSON.

    A key PNG cannot hold (empty, over 79 letters, beyond Latin-1) is left out, and so is the one for the origin.
    """
    info = PngInfo()
    for key, text in texts(prompt, extra).items():
        if (
            key != ORIGIN
            and 0 < len(key) <= 79
            and "\0" not in key
            and key.encode("latin-1", "replace").decode("latin-1") == key
        ):
            info.add_text(key, text)
    return info


def exif(prompt: Mapping[str, Any] | None, extra: Mapping[str, Any] | None = None) -> bytes:
    """The same as EXIF data for WebP and JPEG: "prompt:{…}" as the model, others from the maker downwards.

    JPEG holds at most 64 KB of it.
    """
    data = Image.Exif()
    others = _MAKE
    for key, text in texts(prompt, extra).items():
        if key == "prompt":
            data[_MODEL] = f"{key}:{text}"
        else:
            data[others] = f"{key}:{text}"
            others -= 1
    return data.tobytes()


def texts(prompt: Mapping[str, Any] | None, extra: Mapping[str, Any] | None = None) -> dict[str, str]:
    """What is written into files about the graph that made them, as JSON by name: `prompt`, `workflow` …"""
    given = {**({} if prompt is None else {"prompt": prompt}), **(extra or {})}
    return {key: _strict_json(value) for key, value in given.items()}


def _strict_json(value: Any) -> str:
    """The value as JSON without NaN and infinities, which strict readers choke on: they become null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(json.loads(json.dumps(value), parse_constant=lambda _: None))


def _read(file: BinaryIO) -> dict[str, str]:
    head = file.read(12)
    if head.startswith(_PNG):
        file.seek(len(_PNG))
        pairs = _png_texts(file)
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        pairs = _exif_texts(_webp_exif(file))
    elif head.startswith(_JPEG):
        file.seek(2)
        pairs = _exif_texts(_jpeg_exif(file))
    else:
        return {}
    found: dict[str, str] = {}
    for key, text in pairs:
        if key.lower() in KEYS:
            found.setdefault(key.lower(), text)
    return found


def _png_texts(file: BinaryIO) -> Iterator[tuple[str, str]]:
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind not in (b"tEXt", b"zTXt", b"iTXt", b"comf") or length > LARGEST_TEXT:
            if kind == b"IEND":
                return
            file.seek(length + 4, io.SEEK_CUR)
            continue
        data = file.read(length)
        file.seek(4, io.SEEK_CUR)
        if len(data) < length:
            return
        key, _, rest = data.partition(b"\0")
        text = _png_text(kind, rest)
        if text is not None:
            yield key.decode("latin-1"), text


def _png_text(kind: bytes, data: bytes) -> str | None:
    """The text of a chunk after its keyword; None when it is damaged or unpacks to too much."""
    is_packed = kind == b"zTXt"
    if kind == b"zTXt":
        data = data[1:]  # the method, always 0
    elif kind == b"iTXt":
        is_packed = data[:1] == b"\1"
        _language, _, data = data[2:].partition(b"\0")
        _translated, _, data = data.partition(b"\0")
    if is_packed:
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(data, LARGEST_TEXT)
        except zlib.error:
            return None
        if unpacker.unconsumed_tail:
            return None
    return _decode(data)


def _decode(data: bytes) -> str:
    """Text by the standard is Latin-1 outside iTXt, but many programs write UTF-8 everywhere."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _webp_exif(file: BinaryIO) -> bytes:
    while len(head := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        if kind == b"EXIF" and length <= LARGEST_TEXT:
            return file.read(length).removeprefix(b"Exif\0\0")
        file.seek(length + length % 2, io.SEEK_CUR)
    return b""


def _jpeg_exif(file: BinaryIO) -> bytes:
    while len(head := file.read(4)) == 4:
        marker, length = struct.unpack(">HH", head)
        if marker >> 8 != 0xFF or marker == 0xFFDA or length < 2:  # the pixels begin, or it is no marker
            return b""
        data = file.read(length - 2)
        if marker == 0xFFE1 and data.startswith(b"Exif\0\0"):
            return data[6:]
    return b""


def _exif_texts(data: bytes) -> Iterator[tuple[str, str]]:
    """Every "key:text" among the texts of EXIF data (a small TIFF file)."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return
    for tag, value in _exif_entries(data, order, struct.unpack_from(order + "I", data, 4)[0]):
        entries = [(tag, value)]
        if tag == _EXIF_FOLDER and len(value) >= 4:
            entries = list(_exif_entries(data, order, struct.unpack(order + "I", value[:4])[0]))
        for _, text in entries:
            key, colon, rest = _decode(text.rstrip(b"\0")).partition(":")
            if colon:
                yield key.strip().removeprefix("ASCII\0\0\0"), rest


def _exif_entries(data: bytes, order: str, offset: int) -> Iterator[tuple[int, bytes]]:
    """(tag, value bytes) of one folder of EXIF data; entries that point outside the data are left out."""
    if offset + 2 > len(data):
        return
    (count,) = struct.unpack_from(order + "H", data, offset)
    for n in range(min(count, _MOST_TAGS)):
        at = offset + 2 + 12 * n
        if at + 12 > len(data):
            return
        tag, kind, length, where = struct.unpack_from(order + "HHII", data, at)
        if tag == _EXIF_FOLDER:
            yield tag, data[at + 8 : at + 12]
        elif kind in _TEXT_TYPES:
            start = at + 8 if length <= 4 else where
            if start + length <= len(data):
                yield tag, data[start : start + length]
