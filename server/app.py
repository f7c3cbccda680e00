"""The server put together: what it holds, what guards it, and every route there is, in one block."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from engine.folders import Folders
from server import keys
from server.dispatcher import Dispatcher
from server.events.hub import Hub
from server.files.bundle import Shelf
from server.files.pictures import DESK, Desk
from server.files.templates import shipped
from server.files.user_data import UserData
from server.housekeeping import Housekeeping
from server.jobs.store import Jobs
from server.node_types import NodeTypes
from server.prompts.reception import Reception
from server.requests.answers import add_cache_headers, answer_errors
from server.requests.security import add_headers, guard
from server.routes import (
    editor,
    events,
    gallery,
    history,
    jobs,
    metrics,
    models,
    nodes,
    prompt,
    queue,
    socket,
    system,
    templates,
    trace,
    upload,
    user_data,
    view,
)
from server.settings import ServerSettings
from server.watching.metrics import TALLY, Tally, measure

BARE = (prompt, queue, history, socket, nodes, models, view, upload, user_data, system, metrics)
"""Rooms whose routes exist as they are and below /api."""

PREFIXED = (jobs, events, trace, gallery, templates)
"""Rooms whose routes exist below /api only."""

OVERHEAD = 64 << 10  # bytes of a multipart body around the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the composition root made."""

    settings: ServerSettings
    folders: Folders
    jobs: Jobs
    hub: Hub
    dispatcher: Dispatcher
    node_types: NodeTypes
    tally: Tally
    editor: Shelf


def create(parts: Parts) -> web.Application:
    """The application, ready to be served; it starts the workers when it starts and stops them when it stops."""
    app = web.Application(
        middlewares=[measure, answer_errors, guard], client_max_size=parts.settings.max_upload_size + OVERHEAD
    )
    app[keys.SETTINGS] = parts.settings
    app[keys.FOLDERS] = parts.folders
    app[keys.JOBS] = parts.jobs
    app[keys.HUB] = parts.hub
    app[keys.DISPATCHER] = parts.dispatcher
    app[keys.POOL] = parts.dispatcher.pool
    app[keys.NODE_TYPES] = parts.node_types
    app[keys.RECEPTION] = Reception(parts.jobs, parts.hub, parts.dispatcher, parts.node_types)
    app[keys.HOUSEKEEPING] = Housekeeping(parts.jobs, parts.folders)
    app[keys.TEMPLATES] = shipped()
    app[keys.USER_DATA] = UserData(parts.folders.user / "default")
    app[DESK] = Desk()
    app[TALLY] = parts.tally
    app[keys.EDITOR] = parts.editor
    app.add_routes(all_routes())
    app.on_response_prepare.extend([add_cache_headers, add_headers])
    app.on_startup.append(_start)
    app.on_shutdown.append(_say_goodbye)
    app.on_cleanup.append(_stop)
    return app


def all_routes() -> Iterable[web.RouteDef]:
    """Every route there is."""
    yield from editor.ROUTES
    for room in BARE:
        for route in room.ROUTES:
            yield route
            yield web.RouteDef(route.method, f"/api{route.path}", route.handler, route.kwargs)
    for room in PREFIXED:
        yield from room.API_ROUTES


async def _start(app: web.Application) -> None:
    await app[keys.DISPATCHER].start()
    app[keys.HOUSEKEEPING].start()


async def _say_goodbye(app: web.Application) -> None:
    await app[keys.HUB].close()


async def _stop(app: web.Application) -> None:
    app[DESK].close()
    await asyncio.to_thread(app[keys.USER_DATA].close)
    await app[keys.HOUSEKEEPING].stop()
    await app[keys.DISPATCHER].stop()
    await app[keys.JOBS].close()
