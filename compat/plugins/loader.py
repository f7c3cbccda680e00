"""Every plugin imported, each for itself: what one raises, exits or breaks costs nobody else anything.

A plugin that takes the process along is remembered on the disk and left out by the next one. Reloading imports a plugin
again and puts its nodes, routes and handlers in the place of the old ones; when that fails, the old ones stay.
"""

import logging
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from compat import install, sampler_lists
from compat.host import Host
from compat.plugins import about, modules, nodes, patience
from compat.plugins.nodes import Offer
from compat.plugins.records import Plugin, Record, one_line
from compat.plugins.snapshot import Snapshot
from compat.plugins.standing import Standing
from compat.prompt_server import PromptServer
from engine.plugin_files import Found, find, stamp
from engine.workers.diary import Crash, Diary

PRESTARTUP = "prestartup_script.py"

log = logging.getLogger(__name__)


class Loader:
    """The plugins of this process. Its coroutines run inside the plugins' loop, on the main thread."""

    def __init__(
        self, host: Host, server: PromptServer, diary: Diary, importing: Callable[[str], None] = lambda name: None
    ) -> None:
        """importing: told the name of each plugin before it is imported, and "" after the last."""
        self._host, self._server, self._diary, self._importing = host, server, diary, importing
        self._is_furnished = False
        self._records: dict[str, Record] = {}
        self.standing = Standing(host.registry)

    @property
    def records(self) -> list[Record]:
        """What became of each plugin, in the order in which they are imported."""
        return sorted(self._records.values(), key=lambda each: self.standing.place(each.path))

    async def load(self) -> None:
        """Imports every plugin there is."""
        self._diary.conclude()
        found, crashes = find(self._host.folders, self._host.settings), self._diary.crashes()
        self.standing.line_up(str(each.path) for each in found)
        wanted = [each for each in found if self._is_wanted(each, crashes)]
        if wanted:
            self._furnish()
        for each in wanted:
            self._prepare(each)
        for each in wanted:
            await self._take_in(each, stamp(each.path))
        self._importing("")

    async def reload(self, name: str | None) -> list[str]:
        """Imports plugins again: the one of that name, or those whose files have changed. Returns: their names.

        Those that failed or crashed are tried again as well, and those that are gone go.
        """
        found = find(self._host.folders, self._host.settings)
        names, renewed = [str(each.path) for each in found], []
        self.standing.line_up(names)
        for path in [each for each in self._records if each not in names]:
            renewed.append(self._records.pop(path).name)
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
        self._importing("")
        return renewed

    def _furnish(self) -> None:
        """ComfyUI's names come into place with the first plugin that is imported."""
        if not self._is_furnished:
            install.furnish(self._host)
            self.standing.settle()
            self._is_furnished = True

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
        self._records[str(found.path)] = record
        level = logging.WARNING if record.state == "crashed" else logging.INFO
        log.log(level, "%s", record.line)
        return False

    def _is_due(self, found: Found, name: str | None) -> bool:
        record = self._records.get(str(found.path))
        if name is not None:
            return name in (found.title, found.name, record.name if record else "")
        if record is None:
            return True
        if found.reason:
            return record.state == "loaded" or record.error != found.reason
        plugin = self.standing.get(str(found.path))
        return plugin is None or record.state != "loaded" or plugin.stamp.partition(".")[0] != stamp(found.path)

    # --- one ---

    def _prepare(self, found: Found) -> None:
        script = found.path / PRESTARTUP
        if not found.path.is_dir() or not script.is_file():
            return
        self._begin(found, stamp(found.path))
        try:
            with patience.waiting(found):
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
        """Imports a plugin and takes in what it brings.

        Returns: it; None, when it failed: then its record says why, and nothing of it stays behind.
        """
        record = self._records[str(found.path)] = Record(found.title, str(found.path))
        before, began = Snapshot(self._server), time.monotonic()
        table, web = dict(nodes.table()), dict(nodes.web_dirs())
        handlers, listed = {id(each) for each in self._server.on_prompt_handlers}, sampler_lists.written()
        self._begin(found, salt.partition(".")[0])
        self._server.routes.owner = str(found.path)
        kept = _protected()
        try:
            nodes.module_dirs()[found.title] = str(found.path if found.path.is_dir() else found.path.parent)
            with patience.waiting(found):
                module = modules.execute(found)
                offered = await nodes.offers(module)
            record.web = about.web_folders(found.title, found.path, module)
            record.version = about.version(found.path, module)
        except BaseException as error:  # noqa: BLE001 -- a plugin's code; SystemExit and KeyboardInterrupt too
            self._fail(found, record, error)
            modules.take_out(found.path)
            before.restore()
            return None
        finally:
            self._diary.end()
            self._server.routes.owner = ""
            self._server.route_server.claim(str(found.path))
            _restore(kept)
            record.seconds = time.monotonic() - began
        written, problems = about.written_folders(web, nodes.web_dirs())
        record.web, record.problems = {**record.web, **written}, problems
        own = [each for each in self._server.on_prompt_handlers if id(each) not in handlers]
        plugin = Plugin(found.path, salt, record, handlers=own, listed=sampler_lists.since(listed))
        return self._settle(found, salt, plugin, offered, [*nodes.written(table)])

    def _fail(self, found: Found, record: Record, error: BaseException) -> None:
        record.state, record.error = "failed", one_line(error)
        record.traceback = "".join(traceback.format_exception(error))
        record.named = about.named_nodes(found.path)
        log.error("%s", record.line)
        log.info("plugin %s: %s", record.name, record.traceback)

    def _settle(
        self, found: Found, salt: str, plugin: Plugin, offered: Sequence[Offer], direct: Sequence[Offer]
    ) -> Plugin:
        record, place = plugin.record, f"custom_nodes.{found.title}"
        record.state = "loaded"
        given = nodes.adopt(offered, record, self.standing.builtins, place, salt)
        # What a plugin wrote into the table itself may even take the place of a built-in node.
        given |= nodes.adopt([each for each in direct if each.id not in given], record, {}, place, salt)
        plugin.given = given
        self.standing.put(plugin)
        self._show_folders(record)
        log.info("%s", record.line)
        for other in self.standing.plugins:
            mine = sorted(id for id, winner in other.record.shadowed.items() if winner == record.name)
            if mine and other is not plugin:
                log.warning("plugin %s: its nodes count, not those of %s: %s", record.name, other.record.name, mine)
        return plugin

    def _show_folders(self, record: Record) -> None:
        """nodes.EXTENSION_WEB_DIRS has what counts under the names of one plugin's folders."""
        dirs = nodes.web_dirs()
        for name in record.web:
            dirs.pop(name, None)
            for each in self.standing.plugins:
                dirs.update({name: each.record.web[name]} if name in each.record.web else {})

    # --- again ---

    async def _renew(self, found: Found) -> None:
        path = str(found.path)
        before = Snapshot(self._server)
        plugin, taken = self._take_out(path)
        modules.forget_bytecode(found.path)
        salt = f"{stamp(found.path)}.{uuid4().hex[:8]}"  # results of the old code are not results of the new
        if await self._take_in(found, salt) is None and plugin is not None:
            before.restore()
            modules.put_back(taken)
            self.standing.put(plugin)
            record = self._records[path]
            record.web, record.error = plugin.record.web, f"{record.error}; what was loaded before stays"
            record.shadowed, record.version = plugin.record.shadowed, plugin.record.version
            plugin.record = record
            self.standing.arrange(plugin.given)
        elif plugin is not None:
            self._host.engine.executor.renew([*plugin.given])

    def _remove(self, path: str) -> None:
        plugin, _ = self._take_out(path)
        if plugin is not None:
            self._host.engine.executor.renew([*plugin.given])

    def _take_out(self, path: str) -> tuple[Plugin | None, dict[str, ModuleType]]:
        """Takes everything a plugin brought along out of the process. Returns: it, where it was loaded; its modules."""
        self._server.routes.drop(path)
        self._server.route_server.renew(without=path)
        taken = modules.take_out(Path(path))
        plugin = self.standing.take(path)
        if plugin is not None:
            own = {id(each) for each in plugin.handlers}
            handlers = self._server.on_prompt_handlers
            handlers[:] = [each for each in handlers if id(each) not in own]
            sampler_lists.take_out(plugin.listed)
            self._show_folders(plugin.record)
            nodes.module_dirs().pop(plugin.record.name, None)
        return plugin, taken


def _protected() -> dict[str, Any]:
    """What plugins may not replace: it is put back after each import."""
    # ComfyUI: comfy.model_management.cast_to is the one function that it protects from plugins.
    management = sys.modules.get("comfy.model_management")
    return {"cast_to": management.cast_to} if management is not None and hasattr(management, "cast_to") else {}


def _restore(kept: dict[str, Any]) -> None:
    for name, value in kept.items():
        setattr(sys.modules["comfy.model_management"], name, value)
