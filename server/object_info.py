"""The JSON of /object_info: one entry per node type, made once; only entries that list files are made anew."""

import json
import logging
from collections.abc import Iterable

from engine.graph import describe
from engine.graph.marks import FileChoices
from engine.graph.nodetype import NodeType
from engine.graph.registry import Registry

_Files = dict[tuple[str, ...], tuple[str, ...]]

_log = logging.getLogger(__name__)


class ObjectInfo:
    """The entries of a registry as JSON. Its methods read folders, so call them in a thread; any number may at once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._choices = {_key(each): each for node_type in registry for each in _file_choices(node_type)}
        self._fixed: dict[str, bytes] = {}
        self._last: tuple[_Files, bytes] | None = None

    def all(self) -> bytes:
        """The answer of /object_info, its file lists read now; node types that cannot be described are left out."""
        files = self._read_files()
        last = self._last
        if last is not None and last[0] == files:
            return last[1]
        entries = ((each.id, self._entry(each)) for each in self._registry)
        text = b"{%s}" % b",".join(_pair(id, entry) for id, entry in entries if entry is not None)
        self._last = (files, text)
        return text

    def one(self, id: str) -> bytes:
        """The answer of /object_info/{class}; an empty object when there is no such node type."""
        node_type = self._registry.get(id)
        entry = None if node_type is None else self._entry(node_type)
        return b"{}" if entry is None else b"{%s}" % _pair(id, entry)

    def _read_files(self) -> _Files:
        return {key: choices() for key, choices in self._choices.items()}

    def _entry(self, node_type: NodeType) -> bytes | None:
        fixed = self._fixed.get(node_type.id)
        if fixed is not None:
            return fixed
        try:
            entry = json.dumps(describe.describe(node_type), separators=(",", ":")).encode()
        except Exception as error:  # noqa: BLE001 -- one author's options must not take the other node types along
            _log.error("node type %r cannot be described and is left out: %r", node_type.id, error)
            return None
        if not any(callable(each.choices) for each in node_type.inputs):
            self._fixed[node_type.id] = entry
        return entry


def _file_choices(node_type: NodeType) -> Iterable[FileChoices]:
    return (each.choices for each in node_type.inputs if isinstance(each.choices, FileChoices))


def _key(choices: FileChoices) -> tuple[str, ...]:
    return (choices.kind, *choices.also)


def _pair(id: str, entry: bytes) -> bytes:
    return b"%s:%s" % (json.dumps(id).encode(), entry)
