"""A server of a few rooms only, guarded as the whole one is: no jobs, no workers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from engine.folders import Folders
from server import keys
from server.files.bundle import Shelf
from server.files.pictures import DESK, Desk
from server.files.users import Users
from server.node_types import NodeTypes
from server.plugins.catalogue import Catalogue
from server.requests import form
from server.requests.answers import add_cache_headers, answer_errors
from server.requests.budget import Budget
from server.requests.security import add_headers, guard
from server.settings import ServerSettings

Client = TestClient[Any, Any]


def folders_in(base: Path) -> Folders:
    """Folders below a base, with nothing from outside."""
    for name in ("input", "output", "temp", "models"):
        (base / name).mkdir(exist_ok=True)
    return Folders(base, embedded=base / "models")


@asynccontextmanager
async def serving(
    base: Path, *rooms: Any, patience: float = 0.1, editor: Shelf | None = None, **settings: Any
) -> AsyncIterator[Client]:
    """A client of these rooms (modules with ROUTES, or lists of routes)."""
    app = web.Application(middlewares=[answer_errors, guard])
    app.on_response_prepare.extend([add_cache_headers, add_headers])
    app[keys.SETTINGS] = ServerSettings(**settings)
    app[keys.FOLDERS] = folders_in(base)
    app[keys.NODE_TYPES] = NodeTypes(app[keys.FOLDERS], base / "user" / "node_types.json", "test", patience=patience)
    app[keys.CATALOGUE] = Catalogue(are_any=lambda: False)
    app[keys.TEMPLATES] = base / "workflows"
    app[keys.USERS] = Users(base / "user", many=app[keys.SETTINGS].multi_user)
    app[keys.FRONTEND] = None
    app[DESK] = Desk()
    app[form.ROOM] = Budget(form.AT_ONCE)
    app[keys.EDITOR] = editor or Shelf(base / "editor")
    for room in rooms:
        app.add_routes(getattr(room, "ROUTES", room))
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield client
    app[DESK].close()
    app[keys.USERS].close()
