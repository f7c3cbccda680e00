"""The node types the workers have, as the API knows them: from their snapshot, or from the last one on the disk."""

import asyncio
import json
import logging
import os
import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.errors import NodeTypeError
from engine.folders import LEGACY_KINDS, Folders
from engine.graph import describe
from engine.graph.registry import Registry
from server.object_info import ObjectInfo
from server.requests.refusal import Refused

PATIENCE = 30.0
"""Seconds a request waits for a first worker. Source: processes.md, Node types."""

LOOK = 0.1
"""Seconds between two looks whether a worker can be hoped for at all."""

FORMAT = 1
LARGEST_FILE = 256 << 20  # bytes; ComfyUI with hundreds of plugins makes about 10 MB

_log = logging.getLogger(__name__)


class NotReady(Refused):
    """No worker has said yet which node types there are. reason: why none can, where that is known."""

    def __init__(self, reason: str | None = None) -> None:
        message = (
            "No worker is ready, so nobody knows the node types yet. Try again in a moment; if this goes on, "
            "the server's log says why no worker starts."
        )
        if reason is not None:
            message = (
                f"No worker can start, so nobody knows the node types. {reason.rstrip().rstrip('.')}. "
                "The server's log says more, and the server goes on trying."
            )
        super().__init__(503, message, headers={"Retry-After": "5"})


class NodeTypes:
    """What can be run. Replaced as a whole when a worker has imported its nodes.

    file: where the last snapshot is kept. key: of the versions and files it came from; another key makes it worthless.
    patience: how long a request waits for a first worker, in seconds. why_not: asked meanwhile, says why no worker can
    be expected, or None.
    """

    why_not: Callable[[], str | None] | None = None
    refresh: Callable[[], Awaitable[bool]] | None = None
    """Has authors of plugins compute anew what their node types show; says whether anything changed."""
    number = 0
    """How often the node types have changed."""

    def __init__(self, folders: Folders, file: Path, key: str, *, patience: float = PATIENCE) -> None:
        self._folders = folders
        self._file = file
        self._key = key
        self._patience = patience
        self._snapshot: Mapping[str, Mapping[str, Any]] | None = None
        self._registry: Registry | None = None
        self._info: ObjectInfo | None = None
        self._arrived = asyncio.Event()
        self._writing = threading.Lock()
        self._restore()

    @property
    def current(self) -> Registry | None:
        """The node types, or None when none are known yet."""
        return self._registry

    def replace(self, types: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes a worker's snapshot, and keeps it on the disk for the next start.

        An entry that cannot be read is left out. Call it on the event loop; the file is written in a thread.
        """
        if types == self._snapshot:  # several workers say the same
            return
        readable, registry = self._read(types)
        self._take(types, registry)
        try:
            asyncio.get_running_loop().run_in_executor(None, self._write, types, readable)
        except RuntimeError:  # no loop runs: a script, or a test
            self._write(types, readable)

    def update(self, types: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes new snapshots of some of the node types, which count until a worker tells all of them again."""
        before = self._snapshot or {}
        changed = {id: entry for id, entry in types.items() if id in before and before[id] != entry}
        if changed:
            together = {**before, **changed}
            self._take(together, self._read(together)[1])

    async def registry(self) -> Registry:
        """The node types, waiting up to 30 s for a first worker. Raises: NotReady (answered as 503, Retry-After)."""
        await self._known()
        assert self._registry is not None
        return self._registry

    async def object_info_bytes(self, id: str | None = None) -> bytes:
        """The JSON of /object_info, or of one class in it, waiting as `registry` does. File lists are read now.

        Raises: NotReady.
        """
        await self._known()
        if self.refresh is not None:
            await self.refresh()
        info = self._info
        assert info is not None
        return await (asyncio.to_thread(info.all) if id is None else asyncio.to_thread(info.one, id))

    async def object_info(self) -> dict[str, Any]:
        """The same as data, made anew at each call. Raises: NotReady."""
        registry = await self.registry()
        return await asyncio.to_thread(describe.object_info, registry)

    async def _known(self) -> None:
        if self._registry is not None:
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._arrives()
        except TimeoutError:
            raise NotReady from None

    async def _arrives(self) -> None:
        """Returns when the node types are known. Raises: NotReady, as soon as no worker can be expected."""
        while not self._arrived.is_set():
            reason = self.why_not() if self.why_not is not None else None
            if reason is not None:
                raise NotReady(reason)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), LOOK)

    def _take(self, types: Mapping[str, Mapping[str, Any]], registry: Registry) -> None:
        self._snapshot, self._registry, self._info = types, registry, ObjectInfo(registry)
        self.number += 1
        self._arrived.set()

    def _read(self, types: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Mapping[str, Any]], Registry]:
        """The entries that can be read, and the node types they describe."""
        readable: dict[str, Mapping[str, Any]] = {}
        registry = Registry()
        for id, entry in types.items():
            try:
                node_type = describe.read(self._with_known_folders(entry), self._folders)
                if node_type.id != id:
                    raise NodeTypeError(f"its description is of {node_type.id!r}")
                registry.add(node_type)
            except NodeTypeError as error:
                _log.error("node type %r is left out: %s", id, error)
            else:
                readable[id] = entry
        return readable, registry

    def _with_known_folders(self, entry: Any) -> Any:
        """The entry without its marks for folders that only the worker knows; those combos keep what it listed."""
        flags = entry.get(describe.FLAGS) if isinstance(entry, Mapping) else None
        files = flags.get("files") if isinstance(flags, Mapping) else None
        if not isinstance(flags, Mapping) or not isinstance(files, Mapping):
            return entry
        known = ("input", *self._folders.kinds(), *LEGACY_KINDS)
        kept = {name: choice for name, choice in files.items() if _is_texts(choice) and choice[0] in known}
        return {**entry, describe.FLAGS: {**flags, "files": kept}} if len(kept) < len(files) else entry

    def _restore(self) -> None:
        """Reads the last snapshot. Whatever is wrong with the file, a worker will soon bring another."""
        try:
            types = self._kept_types()
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            _log.warning("%s: the node types kept there cannot be used (%s); waiting for a worker's", self._file, error)
            return
        if types is None:
            return
        readable, registry = self._read(types)
        if len(readable) == len(types):
            self._take(types, registry)

    def _kept_types(self) -> dict[str, Any] | None:
        """What the file holds, None when it was written by another version. Raises: OSError, ValueError."""
        if self._file.stat().st_size > LARGEST_FILE:
            raise ValueError(f"it is larger than {LARGEST_FILE:,} bytes")
        kept = json.loads(self._file.read_bytes())
        if not isinstance(kept, dict) or not isinstance(kept.get("types"), dict):
            raise ValueError("it holds no node types")  # noqa: TRY004 -- a damaged file, not a caller's mistake
        if kept.get("format") != FORMAT or kept.get("key") != self._key:
            return None
        types: dict[str, Any] = kept["types"]
        return types

    def _write(self, types: Mapping[str, Mapping[str, Any]], readable: Mapping[str, Mapping[str, Any]]) -> None:
        """Puts a snapshot in the file's place, whole or not at all; a newer one is not overwritten by an older."""
        text = json.dumps({"format": FORMAT, "key": self._key, "types": readable}, separators=(",", ":"))
        temporary = self._file.with_name(f".{self._file.name}.{secrets.token_hex(4)}.part")
        with self._writing:
            if types is not self._snapshot:
                return
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with open(temporary, "x", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self._file)
            except OSError as error:
                _log.warning("%s: the node types cannot be kept for the next start (%s)", self._file, error)
                with suppress(OSError):
                    temporary.unlink()


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, str) for each in value)
