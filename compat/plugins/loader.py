"""Every plugin imported, each for itself: what one raises, exits or breaks costs nobody else anything.

A plugin that takes the process along is remembered on the disk and left out by the next one. Reloading imports a plugin
again and puts its nodes, routes and handlers in the place of the old ones; when that fails, the old ones stay.
"""

import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from compat import install
from compat.host import Host
from compat.plugins import about, modules, nodes
from compat.plugins.nodes import Offer
from compat.plugins.records import Plugin, Record, one_line
from compat.prompt_server import PromptServer
from engine.graph.registry import Registry
from engine.plugin_files import Found, find, stamp
from engine.workers.diary import Crash, Diary

PRESTARTUP = "prestartup_script.py"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Before:
    """What a plugin had brought along, kept while it is imported again."""

    plugin: Plugin
    modules: dict[str, Any]
    types: dict[str, Any]
    names: dict[str, str]
    routes: list[Any]
    resources: list[Any]
    handlers: list[Any]


class Loader:
    """The plugins of this process. Its coroutines run inside the plugins' loop, on the main thread."""

    def __init__(
        self, host: Host, server: PromptServer, diary: Diary, importing: Callable[[str], None] = lambda name: None
    ) -> None:
        """importing: told the name of each plugin before it is imported."""
        self._host, self._server, self._diary, self._importing = host, server, diary, importing
        self._builtins = {each.id: each for each in host.registry}
        self._own: dict[str, Any] | None = None
        self._plugins: dict[str, Plugin] = {}
        self._handlers: dict[str, list[Any]] = {}
        self.records: dict[str, Record] = {}

    @property
    def registry(self) -> Registry:
        """Every node type."""
        return self._host.registry

    async def load(self) -> None:
        """Imports every plugin there is."""
        self._diary.conclude()
        found, crashes = find(self._host.folders, self._host.settings), self._diary.crashes()
        wanted = [each for each in found if self._is_wanted(each, crashes)]
        if wanted:
            self._furnish()
        for each in wanted:
            self._prepare(each)
        for each in wanted:
            await self._take_in(each, stamp(each.path))

    async def reload(self, name: str | None) -> list[str]:
        """Imports plugins again: the one of that name, or those whose files have changed. Returns: their names.

        Those that failed or crashed are tried again as well, and those that are gone go.
        """
        found = find(self._host.folders, self._host.settings)
        names, renewed = {str(each.path) for each in found}, []
        for path in [each for each in self.records if each not in names]:
            renewed.append(self.records.pop(path).name)
            self._remove(path)
        for each in found:
            if not self._is_due(each, name):
                continue
            self._diary.forgive(str(each.path))
            renewed.append(each.title)
            if self._is_wanted(each, {}):
                self._furnish()
                await self._renew(each)
            else:
                self._remove(str(each.path))
        return renewed

    def _furnish(self) -> None:
        """ComfyUI's names come into place with the first plugin that is imported."""
        if self._own is None:
            install.furnish(self._host)
            self._own = dict(nodes.table())

    # --- which ---

    def _is_wanted(self, found: Found, crashes: dict[str, Crash]) -> bool:
        """Whether a plugin is to be imported; where it is not, its record says why."""
        record = Record(found.title, str(found.path))
        crash = crashes.get(str(found.path))
        if found.reason:
            record.state = "disabled" if "disable" in found.reason else "skipped"
            record.error = found.reason
        elif crash is not None and crash.stamp == stamp(found.path):
            record.state = "crashed"
            record.error = f"crashed at import: {crash.why}; skipped until its files change or you press reload"
        else:
            return True
        record.named = about.named_nodes(found.path)
        self.records[str(found.path)] = record
        level = logging.WARNING if record.state == "crashed" else logging.INFO
        log.log(level, "%s", record.line)
        return False

    def _is_due(self, found: Found, name: str | None) -> bool:
        record = self.records.get(str(found.path))
        if name is not None:
            return name in (found.title, found.name, record.name if record else "")
        if record is None:
            return True
        if found.reason:
            return record.state == "loaded" or record.error != found.reason
        plugin = self._plugins.get(str(found.path))
        return plugin is None or record.state != "loaded" or plugin.stamp.partition(".")[0] != stamp(found.path)

    # --- one ---

    def _prepare(self, found: Found) -> None:
        script = found.path / PRESTARTUP
        if not found.path.is_dir() or not script.is_file():
            return
        self._begin(found, stamp(found.path))
        try:
            modules.run_script(script)
        except BaseException as error:
            log.error("plugin %s: its %s failed: %s", found.title, PRESTARTUP, one_line(error), exc_info=True)
        finally:
            self._diary.end()

    def _begin(self, found: Found, stamp: str) -> None:
        self._importing(found.title)
        if not self._diary.begin(found.path, stamp):
            log.warning("what plugin is imported cannot be written down; one that crashes will do so again")

    async def _take_in(self, found: Found, salt: str) -> Plugin | None:
        """Imports a plugin and takes in what it brings. Returns: it; None, when it failed, and its record says why."""
        record = self.records[str(found.path)] = Record(found.title, str(found.path))
        table, handlers = dict(nodes.table()), [*self._server.on_prompt_handlers]
        began = time.monotonic()
        self._begin(found, salt.partition(".")[0])
        self._server.routes.owner = str(found.path)
        kept = _protected()
        try:
            module = modules.execute(found)
            offered = await nodes.offers(module)
            record.web, record.version = (
                about.web_folders(found.title, found.path, module),
                about.version(found.path, module),
            )
        except BaseException as error:  # noqa: BLE001 -- a plugin's code; SystemExit and KeyboardInterrupt too
            record.state, record.error = "failed", one_line(error)
            record.traceback = "".join(traceback.format_exception(error))
            record.named = about.named_nodes(found.path)
            log.error("%s", record.line)
            log.info("plugin %s: %s", record.name, record.traceback)
            return None
        finally:
            self._diary.end()
            self._server.routes.owner = ""
            self._server.route_server.claim(str(found.path))
            self._handlers[str(found.path)] = [each for each in self._server.on_prompt_handlers if each not in handlers]
            _restore(kept)
            record.seconds = time.monotonic() - began
        return self._settle(found, salt, record, offered, table)

    def _settle(
        self, found: Found, salt: str, record: Record, offered: Sequence[Offer], table: dict[str, Any]
    ) -> Plugin:
        record.state = "loaded"
        place = f"custom_nodes.{found.title}"
        direct = [*nodes.written(table)]
        classes = nodes.adopt(offered, record, self.registry, self._builtins, place, salt)
        # What a plugin wrote into the table itself may even take the place of a built-in node.
        own = [each for each in direct if each.id not in classes]
        classes.update(nodes.adopt(own, record, self.registry, (), place, salt))
        plugin = Plugin(found.path, modules.module_name(found.path), salt, record, classes)
        self._plugins[str(found.path)] = plugin
        for other in self._plugins.values():  # between plugins the last one wins
            if other is not plugin:
                other.classes = {id: cls for id, cls in other.classes.items() if id not in classes}
                other.record.nodes = sorted(other.classes)
        log.info("%s", record.line)
        return plugin

    # --- again ---

    async def _renew(self, found: Found) -> None:
        path = str(found.path)
        before = self._take_out(path)
        modules.forget_bytecode(found.path)
        salt = f"{stamp(found.path)}.{uuid4().hex[:8]}"  # results of the old code are not results of the new
        if await self._take_in(found, salt) is None and before is not None:
            self._put_back(before)
            record = self.records[path]
            record.nodes, record.web = before.plugin.record.nodes, before.plugin.record.web
            record.error = f"{record.error}; what was loaded before stays"
        elif before is not None:
            self._host.engine.executor.renew([*before.plugin.classes])

    def _remove(self, path: str) -> None:
        before = self._take_out(path)
        if before is not None:
            self._host.engine.executor.renew([*before.plugin.classes])

    def _take_out(self, path: str) -> _Before | None:
        """Takes everything a plugin brought along out of the process. Returns: it; None, when it was not loaded."""
        routes, handlers = self._server.routes.owned(path), self._handlers.pop(path, [])
        self._server.routes.drop(path)
        resources = self._server.route_server.renew(without=path)
        self._server.on_prompt_handlers[:] = [each for each in self._server.on_prompt_handlers if each not in handlers]
        taken = modules.take_out(Path(path))
        plugin = self._plugins.pop(path, None)
        if plugin is None:
            return None
        types, names = {}, {}
        for id in plugin.classes:
            types[id] = self.registry.get(id)
            self.registry.remove(id)
            nodes.table().pop(id, None)
            names[id] = nodes.display_names().pop(id, "")
            if id in self._builtins:  # the plugin had put its own in the place of ours
                self.registry.put(self._builtins[id])
                nodes.table().update({id: self._own[id]} if self._own and id in self._own else {})
        return _Before(plugin, taken, types, names, routes, resources, handlers)

    def _put_back(self, before: _Before) -> None:
        path = str(before.plugin.path)
        modules.put_back(before.modules)
        for node_type in before.types.values():
            if node_type is not None:
                self.registry.put(node_type)
        nodes.table().update(before.plugin.classes)
        nodes.display_names().update(before.names)
        self._server.routes.drop(path)
        self._server.routes.restore(before.routes)
        self._server.route_server.renew(without=path)
        self._server.route_server.restore(path, before.resources)
        self._server.on_prompt_handlers += before.handlers
        self._handlers[path] = before.handlers
        self._plugins[path] = before.plugin

    # --- what there is ---

    @property
    def plugins(self) -> Iterable[Plugin]:
        """Those that are loaded."""
        return self._plugins.values()


def _protected() -> dict[str, Any]:
    """What plugins may not replace: it is put back after each import."""
    # ComfyUI: comfy.model_management.cast_to is the one function that it protects from plugins.
    management = sys.modules.get("comfy.model_management")
    return {"cast_to": management.cast_to} if management is not None and hasattr(management, "cast_to") else {}


def _restore(kept: dict[str, Any]) -> None:
    for name, value in kept.items():
        setattr(sys.modules["comfy.model_management"], name, value)
