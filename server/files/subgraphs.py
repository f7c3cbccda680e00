"""Sub-graphs that plugins offer to every workflow: custom_nodes/<plugin>/subgraphs/*.json. Touches the disk."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from server.files.user_files import readable_errors
from server.protocol.nodes import SharedSubgraph
from server.requests.refusal import Refused

FOLDER = "subgraphs"
SOURCE = "custom_node"
LARGEST = 16_000_000  # bytes


def list_all(plugins: Iterable[Path]) -> dict[str, SharedSubgraph]:
    """What there is, without the graphs themselves."""
    return {_id(file): _told(file) for file in _files(plugins)}


def read(plugins: Iterable[Path], id: str) -> SharedSubgraph:
    """One of them with its graph, as a text of JSON. Raises: Refused with 404."""
    for file in _files(plugins):
        if _id(file) == id:
            with readable_errors(file):
                if file.stat().st_size > LARGEST:
                    raise Refused(413, f"{file.name} is larger than {LARGEST:,} bytes, which is the most that is read")
                return {**_told(file), "data": file.read_text("utf-8", "replace")}
    raise Refused(404, f"there is no sub-graph {id!r:.100}; GET /global_subgraphs lists them")


def _files(plugins: Iterable[Path]) -> Iterator[Path]:
    for folder in plugins:
        for plugin in sorted(folder.glob(f"*/{FOLDER}")):
            if not plugin.parent.name.endswith(".disabled"):
                yield from sorted(each for each in plugin.glob("*.json") if each.is_file())


def _id(file: Path) -> str:
    place = "/".join((SOURCE, file.parent.parent.name, file.name))
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()


def _told(file: Path) -> SharedSubgraph:
    return {"source": SOURCE, "name": file.stem, "info": {"node_pack": f"custom_nodes.{file.parent.parent.name}"}}
