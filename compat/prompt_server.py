"""`server.PromptServer`, as plugins know it: routes, messages to browsers, what runs now, the queue.

It stands in the worker. Routes are answered here, the API passes requests on; messages go over the worker's line.
"""

import asyncio
import io
import json
import logging
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import aiohttp
from aiohttp import web

import server
from compat.host import Host, host, is_installed
from compat.missing import missing
from compat.plugins.serving import Routes, RouteServer
from compat.prompt_queue import PromptQueue
from compat.user_manager import UserManager
from engine.errors import LatentwireError
from engine.workers.inside.line import Line, NoAnswer

OnPrompt = Callable[[dict[str, Any]], dict[str, Any]]

JPEG, PNG = 1, 2
_QUALITY = 95  # of previews. Source: protocol.md, 2.2

log = logging.getLogger(__name__)


class BinaryEventTypes:
    """The numbers of binary messages. Source: protocol.md, 2.2."""

    PREVIEW_IMAGE = 1
    UNENCODED_PREVIEW_IMAGE = 2
    TEXT = 3
    PREVIEW_IMAGE_WITH_METADATA = 4


class PromptServer:
    """The server as plugins see it. One per process, under `PromptServer.instance`."""

    instance: ClassVar["PromptServer"]

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, line: Line | None = None) -> None:
        """loop: where routes are answered. line: to the API process. None, both, where there is none."""
        self._line = line
        self.loop = loop
        self.route_server = RouteServer(Routes())
        self.supports = ["custom_nodes_from_web"]
        self.number = 0
        self.port = 8188
        self.address = "127.0.0.1"
        self.client_id: str | None = None
        self.last_node_id: str | None = None
        self.last_prompt_id: str | None = None
        self.prompt_queue = PromptQueue(self._ask)
        self.user_manager = UserManager()
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.on_prompt_handlers: list[OnPrompt] = []
        PromptServer.instance = self
        if is_installed():
            host().has_server = True

    # --- routes ---

    @property
    def routes(self) -> Routes:
        """Handlers are registered here when a plugin is imported; each is answered below /api as well."""
        return self.route_server.routes

    @property
    def app(self) -> web.Application:
        """The application; open for additions while plugins are imported."""
        return self.route_server.app

    @property
    def web_root(self) -> str:
        """Where old plugins look for the front end's files."""
        return str(host().folders.base / "web")

    # --- messages ---

    def send_sync(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """Sends JSON under a name, or bytes under a number, to one client or to all; from any thread."""
        if event == BinaryEventTypes.UNENCODED_PREVIEW_IMAGE:
            event, data = BinaryEventTypes.PREVIEW_IMAGE, encode_preview(data)
        elif event == BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA and not isinstance(data, bytes | bytearray):
            data = _with_metadata(*data)
        try:
            host().outbox.send(event, data, sid)
        except LatentwireError as error:
            log.warning("a plugin's message is left out: %s", error)

    async def send(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """The same, for coroutines."""
        self.send_sync(event, data, sid)

    async def send_json(self, event: str, data: Any, sid: str | None = None) -> None:
        """Sends JSON."""
        self.send_sync(event, data, sid)

    async def send_bytes(self, event: int, data: bytes, sid: str | None = None) -> None:
        """Sends bytes."""
        self.send_sync(event, data, sid)

    async def send_image(self, image_data: Any, sid: str | None = None) -> None:
        """Sends a picture in the making: (format, PIL image, largest side or None)."""
        self.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, image_data, sid)

    def send_progress_text(self, text: str | bytes, node_id: str, sid: str | None = None) -> None:
        """Shows a line of text below a node."""
        line = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        if self._line is not None:
            self._line.text(line, node=str(node_id), job=host().work.prompt_id, sid=sid)
        else:
            host().outbox.send(BinaryEventTypes.TEXT, _text(line, str(node_id)), sid)

    @property
    def sockets_metadata(self) -> Mapping[str, Mapping[str, Any]]:
        """Who is connected, and {"feature_flags": …}."""
        known = self._line.sockets if self._line is not None else {}
        return {sid: {"feature_flags": dict(flags)} for sid, flags in known.items()}

    @property
    def sockets(self) -> Mapping[str, "Socket"]:
        """Who is connected; messages may be sent to each."""
        return {sid: Socket(self, sid) for sid in self.sockets_metadata}

    # --- prompts ---

    def add_on_prompt_handler(self, handler: OnPrompt) -> None:
        """Has a function see, and change, the body of each POST /prompt before it is validated."""
        self.on_prompt_handlers.append(handler)

    def trigger_on_prompt(self, json_data: dict[str, Any]) -> dict[str, Any]:
        """A body after every handler has seen it. A handler that raises is logged and passed over."""
        for handler in [*self.on_prompt_handlers]:
            try:
                changed = handler(json_data)
                if isinstance(changed, dict):
                    json_data = changed
            except Exception:
                log.exception("a plugin's on-prompt handler failed")
        return json_data

    def get_queue_info(self) -> dict[str, Any]:
        """What GET /prompt answers."""
        return {"exec_info": {"queue_remaining": self.prompt_queue.get_tasks_remaining()}}

    def queue_updated(self) -> None:
        """Tells everybody how many jobs wait or run."""
        self.send_sync("status", {"status": self.get_queue_info()})

    def _ask(self, what: str, data: Any = None) -> Any:
        if self._line is None:
            raise NoAnswer(f"{what}: no server runs; plugins can ask one only below `latentwire serve`")
        return self._line.ask(what, data)


class Socket:
    """A client's socket, as far as a worker can reach it."""

    def __init__(self, prompt_server: PromptServer, sid: str) -> None:
        self._server, self._sid = prompt_server, sid
        self.closed = False

    async def send_json(self, data: Mapping[str, Any]) -> None:
        """Sends {"type": …, "data": …} to this client."""
        self._server.send_sync(str(data.get("type")), data.get("data"), self._sid)

    async def send_bytes(self, data: bytes) -> None:
        """Sends a binary message whose first four bytes are its number."""
        self._server.send_sync(int.from_bytes(data[:4], "big"), data[4:], self._sid)

    async def send_str(self, data: str) -> None:
        """Sends a text that is a message in JSON."""
        await self.send_json(json.loads(data))


def furnish(made: Host) -> None:
    """Gives our package `server` the names that plugins import from it."""
    given = {"PromptServer": PromptServer, "BinaryEventTypes": BinaryEventTypes, "web": web, "uuid": uuid}
    modules = {"asyncio": asyncio, "aiohttp": aiohttp, "json": json, "struct": struct}
    for name, value in {**modules, **given}.items():
        setattr(server, name, value)
    setattr(server, "__getattr__", _look_up)  # noqa: B010 -- mypy knows the package's own members only
    if not made.has_server:
        PromptServer()


def _look_up(name: str) -> Any:
    raise missing("server", name)


def encode_preview(picture: Sequence[Any]) -> bytes:
    """(format, PIL image, largest side or None) as what follows the number of a PREVIEW_IMAGE."""
    kind, image, largest = picture[0], picture[1], picture[2] if len(picture) > 2 else None
    if largest and max(image.size) > largest:
        image = image.copy()
        image.thumbnail((largest, largest))
    is_png = str(kind).upper() == "PNG"
    if not is_png and image.mode not in ("RGB", "L"):
        image = image.convert("RGB")
    made = io.BytesIO()
    image.save(made, format="PNG" if is_png else "JPEG", quality=_QUALITY, compress_level=1)
    return struct.pack(">I", PNG if is_png else JPEG) + made.getvalue()


def _with_metadata(picture: Sequence[Any], metadata: Mapping[str, Any]) -> bytes:
    data = encode_preview(picture)
    mime = "image/png" if data[3] == PNG else "image/jpeg"
    meta = json.dumps({**metadata, "image_type": mime}, default=str).encode()
    return struct.pack(">I", len(meta)) + meta + data[4:]


def _text(text: str, node: str) -> bytes:
    named = node.encode("utf-8", "replace")
    return struct.pack(">I", len(named)) + named + text.encode("utf-8", "replace")
