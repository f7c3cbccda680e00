"""What plugins may write to, as it was at one moment: so that an import that fails leaves nothing behind.

That is: ComfyUI's modules with their classes and their tables (lists, dicts and sets), PromptServer's instance, its
routes and its application, what was declared, and sys.path. Not threads, tasks, files and other libraries.
"""

import sys
import types
from collections.abc import Iterator
from typing import Any

import nodes
import server
from compat import install
from compat.plugins import declared
from compat.prompt_server import PromptServer

DEEPEST = 3
"""Levels of tables within tables: a kind of folder_names_and_paths is a tuple with a list inside."""

PASSED_OVER = frozenset({"current_loaded_models", "filename_list_cache", "interrupt_processing"})
"""Names of what changes by itself, and is not about plugins."""

_UNKNOWN = object()


class Snapshot:
    """That moment. prompt_server: whose routes and handlers count."""

    def __init__(self, prompt_server: PromptServer) -> None:
        self._server, self._routes = prompt_server, prompt_server.route_server.mark()
        self._spaces = [(each, dict(vars(each))) for each in _spaces(prompt_server)]
        found: dict[int, tuple[Any, Any]] = {}
        for _, members in self._spaces:
            for name, value in members.items():
                if _counts(name):
                    _gather(value, found)
        _gather(sys.path, found)
        self._tables = [*found.values()]

    def restore(self) -> None:
        """It is as it was then."""
        for space, members in self._spaces:
            self._restore_members(space, members)
        for table, entries in self._tables:
            if not _is_same(table, entries):
                _refill(table, entries)
        self._server.route_server.go_back(self._routes)

    def _restore_members(self, space: Any, members: dict[str, Any]) -> None:
        now = dict(vars(space))
        for name, value in members.items():
            if _counts(name) and now.get(name, _UNKNOWN) is not value:
                setattr(space, name, value)
        for name, value in now.items():
            # A module that was imported for the first time stays; the next import would not set it again.
            if _counts(name) and name not in members and not isinstance(value, types.ModuleType):
                delattr(space, name)


def _counts(name: str) -> bool:
    return not name.startswith("__") and name not in PASSED_OVER


def _spaces(prompt_server: PromptServer) -> Iterator[Any]:
    """What has attributes that plugins may replace: modules, the classes they define, the server."""
    yield prompt_server
    tops = {each.stem for each in install.SHIMS.iterdir()}
    names = [name for name in [*sys.modules] if name.partition(".")[0] in tops]
    modules = [nodes, server, declared, *(sys.modules[name] for name in names if sys.modules.get(name) is not None)]
    seen: set[int] = set()
    for module in modules:
        yield module
        for each in [*vars(module).values()]:
            if isinstance(each, type) and id(each) not in seen and _is_of_comfy(each, tops):
                seen.add(id(each))
                yield each


def _is_of_comfy(each: type, tops: set[str]) -> bool:
    return each.__module__.partition(".")[0] in {*tops, "compat"}


def _gather(value: Any, found: dict[int, tuple[Any, Any]], depth: int = 0) -> None:
    """Notes a table's entries, and those of the tables inside."""
    if id(value) in found or depth > DEEPEST or not isinstance(value, dict | list | set | tuple):
        return
    if isinstance(value, dict):
        found[id(value)] = value, dict(value)
    elif not isinstance(value, tuple):
        found[id(value)] = value, [*value]
    for each in [*(value.values() if isinstance(value, dict) else value)]:
        _gather(each, found, depth + 1)


def _is_same(table: Any, entries: Any) -> bool:
    if len(table) != len(entries):
        return False
    if isinstance(table, dict):
        pairs = zip(table.items(), entries.items(), strict=True)
        return all(key == other and value is before for (key, value), (other, before) in pairs)
    if isinstance(table, set):
        return table == set(entries)
    return all(now is before for now, before in zip(table, entries, strict=True))


def _refill(table: Any, entries: Any) -> None:
    table.clear()
    if isinstance(table, list):
        table.extend(entries)
    else:
        table.update(entries)
