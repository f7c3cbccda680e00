"""The files a job made, as assets. Their ids say where to find them, so none has to be written down."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from server.files.inert import type_of
from server.jobs.job import Output
from server.prompts.submission import is_id
from server.protocol import v2

KINDS: Final[Mapping[str, v2.Kind]] = {
    "images": "image",
    "a_images": "image",
    "b_images": "image",
    "gifs": "video",
    "video": "video",
    "videos": "video",
    "audio": "audio",
    "text": "text",
    "latents": "latent",
}
"""What the lists that nodes show are called here; any other with files in it is "file"."""


@dataclass(frozen=True, slots=True)
class Made:
    """A file that a job made. place: how many its node showed before it."""

    job: str
    place: int
    node: str
    kind: v2.Kind
    filename: str
    subfolder: str
    type: str

    @property
    def id(self) -> str:
        """The id of the asset it is."""
        return f"{self.job}.{self.node.encode('utf-8', 'surrogatepass').hex()}.{self.place}"

    @property
    def content_type(self) -> str:
        """Of the bytes, by the name."""
        return type_of(self.filename)

    @property
    def reference(self) -> str:
        """How a node that loads files names it."""
        name = f"{self.subfolder}/{self.filename}" if self.subfolder else self.filename
        return name if self.type == "input" else f"{name} [{self.type}]"


def made(job: str, shown: Iterable[Output]) -> Iterator[Made]:
    """The files among what the nodes of a job showed."""
    for output in shown:
        yield from of_node(job, output.node, output.ui)


def of_node(job: str, node: str, ui: Mapping[str, Any]) -> Iterator[Made]:
    """The files among what one node showed."""
    place = 0
    for media, values in ui.items():
        for value in values if isinstance(values, list | tuple) else ():
            if isinstance(value, Mapping) and isinstance(value.get("filename"), str):
                yield _made(job, place, node, media, value)
                place += 1


def split_id(asset: str) -> tuple[str, str, int] | None:
    """The job, the node and the place that an asset's id names; None, when it is the id of no output."""
    job, _, rest = asset.partition(".")
    node, _, place = rest.partition(".")
    if not place.isascii() or not place.isdigit() or len(place) > 9:
        return None
    try:
        return (job, bytes.fromhex(node).decode("utf-8", "surrogatepass"), int(place)) if is_id(job) else None
    except ValueError:
        return None


def _made(job: str, place: int, node: str, media: str, value: Mapping[str, Any]) -> Made:
    subfolder, type = value.get("subfolder"), value.get("type")
    return Made(
        job,
        place,
        node,
        KINDS.get(media, "file"),
        value["filename"],
        subfolder if isinstance(subfolder, str) else "",
        type if isinstance(type, str) else "output",
    )
