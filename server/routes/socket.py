"""GET /ws: a client's socket. What it is told is the hub's affair; what it may say is one message, the first."""

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import WSMsgType, web

from server import keys
from server.events import frames
from server.events.dialect import SocketDialect
from server.events.features import server_flags
from server.events.mailbox import OVER, Goodbye, Mailbox, Packet
from server.events.receiver import Receiver
from server.events.resuming import last_event
from server.requests.refusal import Refused

HEARTBEAT = 60.0
"""Seconds between two pings; a client that answers none within half of that is gone."""

PARTING = 1.0
"""Seconds that a client has to take a goodbye."""

LONGEST = 1 << 20
"""Bytes of one message from a client."""

TOGETHER = 20
"""Messages from one client that are read in one go, before others get their turn."""

LONGEST_FLAGS = 64 << 10
"""Characters of a first message that are looked at."""


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Serves a socket until either side leaves."""
    # writer_limit 0: a packet counts as sent when it has left, so that what waits can be bounded.
    ws = web.WebSocketResponse(heartbeat=HEARTBEAT, compress=False, max_msg_size=LONGEST, writer_limit=0)
    transport = request.transport
    if not ws.can_prepare(request):
        raise Refused(400, f"{request.path}: expected a WebSocket handshake; open it with ws:// or wss://")
    if transport is None:
        raise ConnectionResetError("the client has left")
    client = request.query.get("clientId") or uuid.uuid4().hex
    flags = server_flags(request.app[keys.SETTINGS])
    dialect = SocketDialect(flags, shows_everybody=request.app[keys.SETTINGS].shows_everybody)
    hub = request.app[keys.HUB]
    receiver = hub.connect(
        client,
        dialect,
        unsent=transport.get_write_buffer_size,
        since=last_event(request),
        executing=request.app[keys.DISPATCHER].running(client),
    )
    try:
        await ws.prepare(request)
        told = {**request.app[keys.CATALOGUE].features, **flags}
        await _converse(ws, receiver, dialect, told, hub.changed)
        is_polite = await _say_goodbye(ws, receiver.mailbox.goodbye or Goodbye(OVER, ""))
        if not is_polite or transport.get_write_buffer_size():
            transport.abort()  # or what it does not read would be kept for ever
    finally:
        hub.disconnect(client, receiver)
    return ws


async def _converse(
    ws: web.WebSocketResponse,
    receiver: Receiver,
    dialect: SocketDialect,
    flags: Mapping[str, Any],
    changed: Callable[[], None],
) -> None:
    """Sends and listens until one of both is over."""

    async def write(packet: Packet) -> None:
        await ws.send_frame(packet.data, WSMsgType.BINARY if packet.is_binary else WSMsgType.TEXT)

    listening = asyncio.create_task(_listen(ws, receiver.mailbox, dialect, flags, changed))
    sending = asyncio.create_task(receiver.deliver(write))
    try:
        done, _ = await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            error = task.exception()
            if error is not None and not isinstance(error, ConnectionError):
                raise error
    finally:
        listening.cancel()
        sending.cancel()
        await asyncio.gather(listening, sending, return_exceptions=True)


async def _listen(
    ws: web.WebSocketResponse,
    mailbox: Mailbox,
    dialect: SocketDialect,
    flags: Mapping[str, Any],
    changed: Callable[[], None],
) -> None:
    is_first, heard = True, 0
    async for message in ws:
        heard += 1
        if heard % TOGETHER == 0:
            await asyncio.sleep(0)
        if message.type is WSMsgType.TEXT and is_first:
            is_first = False
            announced = _flags(message.data)
            if announced is not None:
                dialect.agree(announced)
                changed()
                mailbox.put(Packet(frames.message("feature_flags", flags)))


def _flags(text: str) -> Mapping[str, Any] | None:
    """What the client says it can do, if that is what the text is about."""
    if len(text) > LONGEST_FLAGS:
        return None
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("type") != "feature_flags":
        return None
    data = message.get("data")
    return data if isinstance(data, dict) else {}


async def _say_goodbye(ws: web.WebSocketResponse, goodbye: Goodbye) -> bool:
    """Closes the socket. Returns: whether the client took it in time."""
    try:
        async with asyncio.timeout(PARTING):
            await ws.close(code=goodbye.code, message=goodbye.reason.encode())
    except (TimeoutError, ConnectionError):
        return False
    return True


ROUTES = (web.get("/ws", socket, allow_head=False),)
