"""Plugins in a process that draws: loaded, offered to the server, asked, told which prompt runs, loaded again."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from compat import sampler_lists
from compat.host import Host, Work
from compat.plugins import declared, interruption, nodes
from compat.plugins.loader import Loader
from compat.plugins.loop import Busy, PluginLoop
from compat.prompt_server import PromptServer
from engine.graph import describe
from engine.graph.events import Emit, Event, Executing
from engine.workers.diary import Diary
from engine.workers.inside.line import Line
from engine.workers.plain import plain

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pipe:
    """The outbox of a worker: messages go over its line to the server."""

    line: Line

    def send(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """Sends JSON under a name or bytes under a number. Raises: NoAnswer, where it is too large."""
        self.line.tell(event, data, sid)


class Plugins:
    """All plugins of this process. Make one after compat.install, on the main thread."""

    def __init__(self, host: Host, line: Line | None = None, *, name: str = "run") -> None:
        """line: to the server; None where there is none. name: of this process, unlike that of others beside it."""
        self._host, self._line = host, line
        self._loop = PluginLoop()
        self._server = PromptServer(self._loop.loop, line)
        self._loop.name = self._server.route_server.answering
        self._serving: Mapping[str, Any] = {}
        importing = line.importing if line is not None else _nobody
        self._loader = Loader(host, self._server, Diary(host.folders.user / "plugins", name), importing)

    def load(self) -> None:
        """Imports every plugin, and serves what routes they have."""
        self._loop.run(self._load())
        self._loop.live()
        self._offer()

    def reload(self, name: str | None) -> dict[str, Any]:
        """Imports plugins again: one, or those that have changed.

        Returns: {"plugins": their names}; and "refused", why nothing was done, when a plugin keeps the loop to itself:
        imports run inside of it.
        """
        try:
            renewed = self._loop.run(self._reload(name))
        except Busy as error:
            log.warning("plugins are not imported again: %s", error)
            return {"plugins": [], "refused": str(error)}
        self._offer()
        return {"plugins": renewed}

    def ask(self, about: str, data: Any) -> Any:
        """What the server asks beside a running job: "on_prompt" (a body, to be changed), or "describe"."""
        if about == "on_prompt":
            return plain(self._server.trigger_on_prompt(dict(data)))
        if about == "describe":
            return self.describe()
        return None

    def describe(self) -> dict[str, Any]:
        """The snapshots of plugins' node types, with what their authors compute now."""
        told: dict[str, Any] = {}
        for id, given in [*self._loader.standing.counting()]:
            before = given.node_type
            try:
                now = nodes.made(given.cls, id, before.display_name, before.python_module, before.salt)
                told[id] = describe.snapshot(now)
                self._host.registry.put(now)
            except Exception:  # an author's INPUT_TYPES; what it said last stays
                log.warning("node %s cannot be described anew", id, exc_info=True)
        return told

    @contextmanager
    def working(self, work: Work, emit: Emit) -> Iterator[Emit]:
        """While a prompt is executed. Gives: an emit that also notes which node runs."""
        server = self._server
        interruption.forget()
        server.client_id, server.last_prompt_id, server.last_node_id = work.client_id, work.prompt_id, None

        def noting(event: Event) -> None:
            if isinstance(event, Executing):
                server.last_node_id = event.node
            emit(event)

        with self._host.working(work):
            yield noting

    def close(self) -> None:
        """The routes' socket goes."""
        with suppress(OSError, RuntimeError, Busy):
            self._loop.run(self._server.route_server.close())
            self._loop.close()
        self._server.route_server.remove()

    def stopping(self, is_cancelled: Callable[[], bool]) -> Callable[[], bool]:
        """Whether to stop: because the user said so, or a plugin did (comfy.model_management)."""
        return lambda: is_cancelled() or interruption.is_asked()

    @property
    def records(self) -> list[dict[str, Any]]:
        """What is known about each plugin, as data."""
        return [each.shown() for each in self._loader.records]

    async def _load(self) -> None:
        await self._loader.load()
        self._serving = await self._server.route_server.open() if self._line is not None else {}

    async def _reload(self, name: str | None) -> list[str]:
        renewed = await self._loader.reload(name)
        if renewed and self._line is not None:
            self._serving = await self._server.route_server.open()
        return renewed

    def _offer(self) -> None:
        """Tells the server what there is; samplers and schedules of plugins are in the lists of our nodes, too."""
        sampler_lists.refresh(self._host.registry)
        if self._line is not None:
            self._line.plugins(
                {
                    "plugins": self.records,
                    "serving": self._serving,
                    "handlers": len(self._server.on_prompt_handlers),
                    "replacements": plain(declared.replacements()),
                    "folders": plain(self._host.folders.described()),
                    "features": plain(_features()),
                }
            )


def _features() -> Mapping[str, Any]:
    """What plugins say that the server can do; nothing, where none has asked for the place to say so."""
    module = sys.modules.get("comfy_api.feature_flags")
    return {} if module is None else module.added()


def _nobody(name: str) -> None:
    """Takes names nobody asked for."""
