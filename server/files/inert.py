"""Headers for users' files, so that no browser runs what is inside."""

import os
from types import MappingProxyType
from urllib.parse import quote

from aiohttp import hdrs

INERT = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        # Names are used again; whoever has a copy asks whether it is still right, and gets 304.
        hdrs.CACHE_CONTROL: "no-cache",
    }
)

UNKNOWN = "application/octet-stream"

# What browsers show and cannot run. Anything else is saved, not shown.
_SHOWN = {
    "image/png": "png",
    "image/apng": "apng",
    "image/jpeg": "jpg jpeg jfif",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/tiff": "tif tiff",
    "image/x-icon": "ico",
    "image/jxl": "jxl",
    "video/mp4": "mp4 m4v",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
    "video/ogg": "ogv",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg oga opus",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "text/plain; charset=utf-8": "txt log",
    "text/csv; charset=utf-8": "csv",
    "text/markdown; charset=utf-8": "md",
    "application/json": "json",
}
TYPES = MappingProxyType({f".{suffix}": type for type, suffixes in _SHOWN.items() for suffix in suffixes.split()})


def type_of(name: str) -> str:
    """The content type of a file by its name."""
    return TYPES.get(os.path.splitext(name)[1].lower(), UNKNOWN)


def disposition(name: str, type: str) -> dict[str, str]:
    """How a browser names the file, and that it saves what it cannot safely show."""
    # ComfyUI: without "inline" in front; clients look for filename="…".
    words = ["attachment"] if type == UNKNOWN else []
    plain = "".join(each if each.isascii() and each.isprintable() and each not in '"\\%' else "_" for each in name)
    words.append(f'filename="{plain}"')
    if plain != name:
        words.append(f"filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}")
    return {hdrs.CONTENT_DISPOSITION: "; ".join(words)}
