"""A server that runs nothing: real jobs on a real disk, a real hub and its routes; tests say what happens."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from engine.settings import Settings
from engine.workers.outside.pool import Pool
from server import keys
from server.dispatcher import Dispatcher
from server.events.hub import MOST, QUIET, Hub
from server.jobs.job import Frame, Item, NewEvent, NewJob, State
from server.jobs.store import Jobs, Retention
from server.node_types import NodeTypes
from server.plugins.catalogue import Catalogue
from server.requests.answers import answer_errors
from server.routes import events, socket
from server.settings import ServerSettings
from server.watching.metrics import Tally

PATIENCE = 60.0  # seconds; a machine with two busy cores may be slow

END = ("executing", {"node": None})


@dataclass
class Place:
    """The server as a test sees it."""

    client: TestClient[Any, Any]
    jobs: Jobs
    hub: Hub
    tally: Tally
    dispatcher: Dispatcher

    async def job(self, id: str, client_id: str | None = "me") -> str:
        """A job that runs."""
        await self.waiting_job(id, client_id)
        await self.jobs.start(id, "worker-0")
        return id

    async def waiting_job(self, id: str, client_id: str | None = "me") -> str:
        await self.jobs.submit(NewJob(id=id, prompt={}, outputs=[], created=0, client_id=client_id))
        return id

    async def happen(self, job: str, *items: Item | tuple[str, dict[str, Any]], client_id: str | None = "me") -> None:
        """Items are stored, then published."""
        sent = await self.jobs.record(job, [_item(job, each) for each in items])
        self.hub.publish(job, client_id, sent)

    async def end(self, job: str, client_id: str | None = "me") -> None:
        """The job has ended."""
        sent = await self.jobs.finish(job, State.SUCCEEDED, [_item(job, END)])
        self.hub.publish(job, client_id, sent)
        self.hub.status(self.jobs.remaining)

    async def connect(self, query: str = "clientId=me", **options: Any) -> ClientWebSocketResponse:
        """A socket whose first status has been read."""
        ws = await self.client.ws_connect(f"/ws?{query}", max_msg_size=0, **options)
        first = await message(ws)
        assert first["type"] == "status"
        return ws

    def publish_filler(self, job: str, n: int, *, size: int = 1000, client_id: str = "me") -> None:
        """Messages that are only sent, as if stored, of so many bytes each."""
        for _ in range(n):
            self.hub.send("filler", {"text": "x" * size}, client_id)


@asynccontextmanager
async def a_place(folder: Path, *, most: int = MOST, quiet: float = QUIET, **serving: Any) -> AsyncIterator[Place]:
    """The server, in a folder of its own."""
    jobs = Jobs(folder / "jobs.sqlite", Retention())
    jobs.open()
    tally = Tally()
    hub = Hub(jobs, tally=tally, most=most, quiet=quiet)
    folders = Settings(base_directory=folder).folders()
    node_types = NodeTypes(folders, folder / "node_types.json", "test")
    dispatcher = Dispatcher(
        jobs, hub, lambda listener: Pool(lambda i: [], listener), node_types=node_types, tally=tally
    )
    app = web.Application(middlewares=[answer_errors])
    app[keys.SETTINGS] = ServerSettings(**{"shows_everybody": True, **serving})
    app[keys.JOBS], app[keys.HUB], app[keys.DISPATCHER] = jobs, hub, dispatcher
    app[keys.CATALOGUE] = Catalogue(are_any=lambda: False)
    app.add_routes([*socket.ROUTES, *events.API_ROUTES])
    app.on_shutdown.append(lambda app: hub.close())
    try:
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:
            yield Place(client, jobs, hub, tally, dispatcher)
    finally:
        await jobs.close()


async def message(ws: ClientWebSocketResponse) -> dict[str, Any]:
    """The next message, which must be JSON."""
    received = await ws.receive(timeout=PATIENCE)
    assert received.type is WSMsgType.TEXT, received
    found: dict[str, Any] = json.loads(received.data)
    return found


async def messages(ws: ClientWebSocketResponse, last: str) -> list[dict[str, Any]]:
    """Messages up to the first of a type, without status."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] != last:
        found += [each for each in [await message(ws)] if each["type"] != "status"]
    return found


async def until(condition: Callable[[], Any]) -> None:
    """Waits for something to become true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def lines(response: Any) -> AsyncIterator[dict[str, str]]:
    """Server-sent events as their fields; comments have only a field ""."""
    fields: dict[str, str] = {}
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if not line and fields:
            yield fields
            fields = {}
        elif line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()


def preview(job: str, node: str, data: bytes = b"jpeg", mime: str = "image/jpeg") -> Frame:
    return Frame("preview", node, data, mime, {"node_id": node, "prompt_id": job})


def step(job: str, node: str, value: int) -> NewEvent:
    return NewEvent("progress", {"value": value, "max": 20, "prompt_id": job, "node": node})


def numbers(found: Sequence[dict[str, Any]]) -> list[int]:
    return [each["id"] for each in found if "id" in each]


def _item(job: str, item: Item | tuple[str, dict[str, Any]]) -> Item:
    return NewEvent(item[0], {**item[1], "prompt_id": job}) if isinstance(item, tuple) else item
