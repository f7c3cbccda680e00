"""Model files as a library shows them: their place, size and dates, and the picture that lies beside one or inside it.

Everything here touches the disk, so call it in a thread.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import PathError
from engine.folders import Folders, inside
from engine.unfinished import unfinished
from server.files import pictures
from server.files.safetensors_header import read_metadata
from server.files.user_files import without_paths
from server.protocol.files import ModelFile, ModelFolder
from server.requests.refusal import Refused

HIDDEN = ("configs", "custom_nodes")
"""Kinds that hold no models."""

BESIDE = (".preview.png", ".preview.jpg", ".preview.jpeg", ".preview.webp", ".png", ".jpg", ".jpeg", ".webp")
"""What stands in place of a model's extension in the name of its picture."""

THUMBNAIL = "modelspec.thumbnail"
"""The key of a safetensors header with a picture as a data: address. Source: Stability AI's ModelSpec 1.0.0."""

SIDE = 512  # pixels
WEBP = "webp"


def folders(known: Folders) -> list[ModelFolder]:
    """The kinds of models with their folders."""
    return [
        {"name": kind, "folders": [str(each) for each in known.folders(kind)]}
        for kind in known.kinds()
        if kind not in HIDDEN
    ]


def files(known: Folders, kind: str) -> list[ModelFile]:
    """The files of a kind. Raises: PathError, for a kind that is none."""
    return list(_files(known.list(kind), known.folders(kind)))


def _files(names: Sequence[str], places: Sequence[Path]) -> Iterator[ModelFile]:
    for name in names:
        for index, place in enumerate(places):
            try:
                found = (place / name).stat()
            except OSError:
                continue
            yield {
                "name": name,
                "pathIndex": index,
                "modified": found.st_mtime,
                "created": found.st_ctime,
                "size": found.st_size,
            }
            break  # a loader takes the first as well


def picture(known: Folders, kind: str, index: int, name: str, room: Path) -> bytes:
    """The picture of a model file, as a WebP. room: a folder for what is on its way.

    Raises: Refused with 404, when there is none, ImageError, when it is damaged.
    """
    places: tuple[Path, ...] = ()
    try:
        places = known.folders(kind)
        if index >= len(places):
            raise Refused(404, f"{kind}: there is no folder number {index}; GET /experiment/models lists them")
        model = inside(places[index], name)
    except PathError as error:
        raise Refused(404, without_paths(error, kind, *places)) from error
    for beside in BESIDE:
        path = model.with_name(f"{model.stem}{beside}")
        if path.is_file() and path.resolve().is_relative_to(places[index].resolve()):
            return pictures.preview(path, WEBP, "", SIDE)[0]
    held = _held(model)
    if held is None:
        raise Refused(404, f"{name}: there is no picture beside it; put one there as {model.stem}.png")
    room.mkdir(parents=True, exist_ok=True)
    with unfinished(room, lambda file: file.writelines([held])) as path:
        return pictures.preview(path, WEBP, "", SIDE)[0]


def _held(model: Path) -> bytes | None:
    """The picture in a model's own header."""
    if model.suffix.lower() not in (".safetensors", ".sft"):
        return None
    address = (read_metadata(model) or {}).get(THUMBNAIL)
    if not isinstance(address, str) or not address.startswith("data:image/"):
        return None
    try:
        return base64.b64decode(address.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return None
