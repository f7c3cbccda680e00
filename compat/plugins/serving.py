"""Plugins' HTTP routes: a table like aiohttp's that remembers whose they are, and the private server that answers them.

Only the API process talks to this server, over a unix socket in a folder that nobody else may enter (where there are
no such sockets: over loopback), and shows a secret. It passes on what browsers ask; see server/plugins/proxy.py.
"""

import asyncio
import hmac
import logging
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, overload

from aiohttp import web
from aiohttp.typedefs import Handler

from compat.plugins.records import one_line
from engine.errors import Cancelled

SECRET = "X-Latentwire-Plugins"
"""The header that shows that a request comes from the API process."""

LARGEST = 1 << 40
"""Bytes of a body; how large it may be is the API's affair."""

log = logging.getLogger(__name__)


class Routes(web.RouteTableDef):
    """What `PromptServer.instance.routes` is: aiohttp's table, each entry with the plugin that was imported then."""

    def __init__(self) -> None:
        super().__init__()
        self.owner = ""
        self.entries: list[tuple[str, web.AbstractRouteDef]] = []

    def route(self, method: str, path: str, **kwargs: Any) -> Callable[[Handler], Handler]:
        """A decorator for a handler."""

        def inner(handler: Handler) -> Handler:
            self.entries.append((self.owner, web.RouteDef(method, path, handler, kwargs)))
            return handler

        return inner

    def static(self, prefix: str, path: str | os.PathLike[str], **kwargs: Any) -> None:
        """A folder of files."""
        self.entries.append((self.owner, web.StaticDef(prefix, path, kwargs)))

    def drop(self, owner: str) -> None:
        """The entries of one plugin go."""
        self.entries[:] = [each for each in self.entries if each[0] != owner]

    @overload
    def __getitem__(self, index: int) -> web.AbstractRouteDef: ...
    @overload
    def __getitem__(self, index: slice) -> list[web.AbstractRouteDef]: ...
    def __getitem__(self, index: int | slice) -> web.AbstractRouteDef | list[web.AbstractRouteDef]:
        entries = [each for _, each in self.entries]
        return entries[index]

    def __iter__(self) -> Iterator[web.AbstractRouteDef]:
        return iter([each for _, each in self.entries])

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, item: object) -> bool:
        return any(each is item for _, each in self.entries)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a RouteServer had been given at one moment."""

    owned: Sequence[tuple[str, web.AbstractRouteDef]]
    given: Sequence[tuple[str, str, Any]]
    app: web.Application
    values: Mapping[Any, Any]


class RouteServer:
    """The application plugins add routes to, and the server behind it. After a reload both are made anew."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self._secret = token_hex(16)
        self._guard = self._new_guard()
        self.app = self._new_app()
        self._given: list[tuple[str, str, Any]] = []
        self._answering: dict[asyncio.Task[Any] | None, str] = {}
        self._folder: Path | None = None
        self._site: web.BaseSite | None = None
        self._generation = 0

    def claim(self, owner: str) -> None:
        """What has been added to the application itself since the last time was added by this plugin."""
        known = {id(thing) for _, _, thing in self._given}
        self._given += [(owner, place, thing) for place, thing in self._added() if id(thing) not in known]

    def renew(self, *, without: str) -> None:
        """An application that may be added to, with what the old one was given by all but this plugin."""
        self._begin_anew([each for each in self._given if each[0] != without], _values(self.app))

    def answering(self, task: asyncio.Task[Any]) -> str:
        """Which route a task answers, in words; "" for other tasks."""
        request = self._answering.get(task)
        return f"the route {request} of a plugin" if request else ""

    def mark(self) -> Mark:
        """What there is now; for go_back."""
        return Mark([*self.routes.entries], [*self._given], self.app, _values(self.app))

    def go_back(self, mark: Mark) -> None:
        """What there was is there again, and no more."""
        self.routes.entries[:] = mark.owned
        now = [*(thing for _, thing in self._added()), *_values(self.app).values()]
        then = [*(thing for _, _, thing in mark.given), *mark.values.values()]
        if self.app is not mark.app or [id(each) for each in now] != [id(each) for each in then]:
            self._begin_anew(mark.given, mark.values)

    def _added(self) -> Iterator[tuple[str, Any]]:
        yield from (("resource", each) for each in self.app.router.resources())
        yield from (("middlewares", each) for each in self.app.middlewares if each is not self._guard)
        yield from (("on_response_prepare", each) for each in self.app.on_response_prepare)

    def _begin_anew(self, given: Iterable[tuple[str, str, Any]], values: Mapping[Any, Any]) -> None:
        """An application that may be added to; the one that was served may not."""
        self.app, self._given = self._new_app(), [*given]
        for _, place, thing in self._given:
            if place == "resource":
                self.app.router.register_resource(thing)
            else:
                getattr(self.app, place).append(thing)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # aiohttp would like keys of a class of its own
            for key, value in values.items():
                self.app[key] = value

    async def open(self) -> dict[str, Any]:
        """Serves what there is. Returns: where, the secret, and which requests are answered; empty when none are."""
        await self.close()
        for each in self.routes:
            self._add(each)
        patterns = [*_patterns(self.app)]
        runner = web.AppRunner(self.app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        if not patterns:
            return {}
        self._generation += 1
        address = await self._listen(runner)
        return {"address": address, "secret": self._secret, "routes": patterns}

    async def close(self) -> None:
        """Takes no more connections; those there are live on."""
        site, self._site = self._site, None
        if site is not None:
            await site.stop()

    def remove(self) -> None:
        """The socket's folder goes."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _listen(self, runner: web.AppRunner) -> str:
        if hasattr(socket, "AF_UNIX"):
            self._folder = self._folder or Path(tempfile.mkdtemp(prefix="latentwire-"))
            path = self._folder / f"plugins-{self._generation}"
            self._site = web.UnixSite(runner, path)
            await self._site.start()
            return f"unix:{path}"
        listening = socket.create_server(("127.0.0.1", 0))
        self._site = web.SockSite(runner, listening)
        await self._site.start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    def _add(self, entry: web.AbstractRouteDef) -> None:
        """Adds an entry as it is and below /api. One that cannot be added costs nobody else their routes."""
        copies = [entry]
        if isinstance(entry, web.RouteDef):
            copies.append(web.RouteDef(entry.method, f"/api{entry.path}", entry.handler, entry.kwargs))
        for each in copies:
            try:
                each.register(self.app.router)
            except (RuntimeError, ValueError, TypeError) as error:
                log.warning("a plugin's route is left out: %s: %s", each, error)

    def _new_app(self) -> web.Application:
        return web.Application(middlewares=[self._guard], client_max_size=LARGEST)

    def _new_guard(self) -> Any:
        secret = self._secret

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not hmac.compare_digest(request.headers.get(SECRET, "").encode(), secret.encode()):
                raise web.HTTPForbidden
            task = asyncio.current_task()
            self._answering[task] = f"{request.method} {request.path}"
            try:
                return await handler(request)
            except (web.HTTPException, ConnectionError, asyncio.CancelledError):
                raise
            except Cancelled:  # a plugin asks for the end of a prompt, from where there is none
                text = f"{request.method} {request.path} was interrupted by the plugin itself"
                return web.json_response({"error": text}, status=500)
            except Exception as error:  # a plugin's handler
                log.exception("a plugin failed over %s %s", request.method, request.path)
                return web.json_response({"error": f"A plugin failed over this request: {one_line(error)}"}, status=500)
            finally:
                self._answering.pop(task, None)

        return guard


def _values(app: web.Application) -> dict[Any, Any]:
    return {key: app[key] for key in app}


def _patterns(app: web.Application) -> Iterator[dict[str, Any]]:
    """Which requests an application answers: methods, the fixed parts of a path, whether it goes on below."""
    for resource in app.router.resources():
        about = resource.get_info()
        with suppress(TypeError):  # a sub-application by host name has no routes of its own
            methods = sorted({route.method for route in resource})
            if "prefix" in about:
                yield {"methods": [*methods, "*"] if "app" in about else methods, "prefix": about["prefix"]}
            elif "formatter" in about:
                yield {"methods": methods, "parts": _fixed_parts(about["formatter"])}
            elif "path" in about:
                yield {"methods": methods, "parts": [about["path"]]}


def _fixed_parts(formatter: str) -> list[str]:
    """ "/a/{x}/b" as ["/a/", "/b"]; what stands for {x} is decided by the worker, not here."""
    parts, rest = [], formatter
    while "{" in rest:
        head, _, rest = rest.partition("{")
        parts.append(head)
        rest = rest.partition("}")[2]
    return [*parts, rest]
