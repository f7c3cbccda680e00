"""The node types the workers have, as the API knows them: from their snapshot, or from the last one on the disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.folders import Folders
from engine.graph.registry import Registry


class NodeTypes:
    """What can be run. Replaced as a whole when a worker has imported its nodes."""

    def __init__(self, folders: Folders, file: Path, key: str) -> None:
        raise NotImplementedError

    def replace(self, types: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes a worker's snapshot, and keeps it on the disk for the next start."""
        raise NotImplementedError

    async def registry(self) -> Registry:
        """The node types, waiting up to 30 s for a first worker. Raises: NotReady (answered as 503, Retry-After)."""
        raise NotImplementedError
