"""The server put together: what it holds, what guards it, and every route there is, in one block."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from engine.folders import Folders
from server import keys
from server.dispatcher import Dispatcher
from server.events.hub import Hub
from server.events.log_lines import LogLines
from server.files import frontend as frontends
from server.files.bundle import Shelf
from server.files.frontend import Frontend
from server.files.pictures import DESK, Desk
from server.files.templates import shipped, supply
from server.files.users import Users
from server.housekeeping import Housekeeping
from server.jobs.store import Jobs
from server.node_types import NodeTypes
from server.plugins.proxy import pass_on
from server.plugins.watching import PluginWatch
from server.prompts.reception import Reception
from server.requests import form
from server.requests.answers import add_cache_headers, answer_errors, compress
from server.requests.budget import Budget
from server.requests.security import add_headers, guard
from server.routes import (
    editor,
    events,
    extensions,
    frontend,
    gallery,
    history,
    internal,
    jobs,
    metrics,
    models,
    nodes,
    plugins,
    prompt,
    queue,
    settings,
    socket,
    system,
    templates,
    trace,
    upload,
    user_data,
    v2_assets,
    v2_jobs,
    view,
)
from server.settings import ServerSettings
from server.v2.assets import Assets
from server.watching.logs import Mask
from server.watching.metrics import TALLY, Tally, measure
from server.watching.recent import Recent

BARE = (prompt, queue, history, socket, nodes, models, view, upload, user_data, settings, extensions, system, metrics)
"""Rooms whose routes exist as they are and below /api."""

PREFIXED = (extensions, plugins, jobs, events, trace, gallery, templates, v2_jobs, v2_assets)
"""Rooms whose routes exist below /api only."""

APART = (internal, templates)
"""Rooms with routes that exist without /api only."""

OVERHEAD = 64 << 10  # bytes of a multipart body around the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the composition root made. stamps: of the plugins' files, by path."""

    settings: ServerSettings
    folders: Folders
    jobs: Jobs
    hub: Hub
    dispatcher: Dispatcher
    node_types: NodeTypes
    tally: Tally
    editor: Shelf
    stamps: Callable[[], Mapping[str, str]] = dict


def create(parts: Parts) -> web.Application:
    """The application, ready to be served; it starts the workers when it starts and stops them when it stops."""
    packing = [compress] if parts.settings.enable_compress_response_body else []
    app = web.Application(
        middlewares=[measure, *packing, answer_errors, guard, pass_on],
        client_max_size=parts.settings.max_upload_size + OVERHEAD,
    )
    app[keys.SETTINGS] = parts.settings
    app[keys.FOLDERS] = parts.folders
    app[keys.JOBS] = parts.jobs
    app[keys.HUB] = parts.hub
    app[keys.DISPATCHER] = parts.dispatcher
    app[keys.POOL] = parts.dispatcher.pool
    app[keys.NODE_TYPES] = parts.node_types
    app[keys.CATALOGUE] = parts.dispatcher.plugin_desk.catalogue
    app[keys.TEMPLATES] = shipped()
    supplying = partial(supply, folder=app[keys.TEMPLATES], target=parts.folders.input)
    app[keys.RECEPTION] = Reception(parts.jobs, parts.hub, parts.dispatcher, parts.node_types, supplying)
    parts.dispatcher.plugin_desk.submit = app[keys.RECEPTION].submit
    app[keys.PLUGIN_WATCH] = PluginWatch(
        parts.dispatcher.plugin_desk, parts.stamps if parts.settings.watch_plugins else None
    )
    app[keys.HOUSEKEEPING] = Housekeeping(parts.jobs, parts.folders)
    app[keys.ASSETS] = Assets(parts.folders, parts.folders.user / "assets.sqlite")
    app[keys.USERS] = Users(parts.folders.user, many=parts.settings.multi_user)
    app[keys.LOG_LINES] = LogLines(_log(parts.settings), parts.hub)
    app[keys.FRONTEND] = _frontend(parts.settings)
    app[DESK] = Desk()
    app[form.ROOM] = Budget(form.AT_ONCE)
    app[TALLY] = parts.tally
    app[keys.EDITOR] = parts.editor
    app.add_routes(all_routes(app[keys.FRONTEND]))
    app.on_response_prepare.extend([add_cache_headers, add_headers])
    app.on_startup.append(_start)
    app.on_shutdown.append(_say_goodbye)
    app.on_cleanup.append(_stop)
    return app


def all_routes(other: Frontend | None = None) -> Iterable[web.RouteDef]:
    """Every route there is. other: a frontend that takes the editor's place."""
    yield from editor.ROUTES if other is None else frontend.routes(other)
    yield from editor.ALWAYS
    for room in APART:
        yield from room.BARE_ROUTES
    for room in BARE:
        for route in room.ROUTES:
            yield route
            yield web.RouteDef(route.method, f"/api{route.path}", route.handler, route.kwargs)
    for room in PREFIXED:
        yield from room.API_ROUTES


def _frontend(settings: ServerSettings) -> Frontend | None:
    return None if settings.front_end_root is None else frontends.read(settings.front_end_root)


def _log(settings: ServerSettings) -> Recent:
    return Recent(Mask([settings.token] if settings.token else []))


async def _start(app: web.Application) -> None:
    logging.getLogger().addHandler(app[keys.LOG_LINES].recent)
    await app[keys.DISPATCHER].start()
    app[keys.HOUSEKEEPING].start()
    app[keys.PLUGIN_WATCH].start()


async def _say_goodbye(app: web.Application) -> None:
    await app[keys.HUB].close()


async def _stop(app: web.Application) -> None:
    app[DESK].close()
    await asyncio.to_thread(app[keys.ASSETS].close)
    await asyncio.to_thread(app[keys.USERS].close)
    await app[keys.PLUGIN_WATCH].stop()
    await app[keys.HOUSEKEEPING].stop()
    await app[keys.DISPATCHER].stop()
    await app[keys.JOBS].close()
    logging.getLogger().removeHandler(app[keys.LOG_LINES].recent)
