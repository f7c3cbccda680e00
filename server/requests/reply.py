"""JSON as it leaves: strict (no NaN), and off the event loop where it may be long."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

JSON = "application/json"

_ENCODER = json.JSONEncoder(allow_nan=False)
_LENIENT = json.JSONEncoder()


def dumps(value: Any) -> str:
    """A value as strict JSON; NaN and infinities in what nodes showed become null."""
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return _ENCODER.encode(json.loads(_LENIENT.encode(value), parse_constant=lambda _: None))


def short(value: Any, status: int = 200) -> web.Response:
    """An answer that is known to be small."""
    return web.Response(text=dumps(value), status=status, content_type=JSON, charset="utf-8")


async def long(make: Callable[[], Any], status: int = 200) -> web.Response:
    """An answer that may be large: made in a thread, so that others are answered meanwhile."""
    text = await asyncio.to_thread(lambda: dumps(make()))
    return web.Response(text=text, status=status, content_type=JSON, charset="utf-8")


async def pieces(request: web.Request, parts: AsyncIterator[str]) -> web.StreamResponse:
    """An answer of any size, sent part by part, so that only one part of it is in memory at a time."""
    response = web.StreamResponse()
    response.content_type, response.charset = JSON, "utf-8"
    await response.prepare(request)
    async for part in parts:
        await response.write(part.encode())
    await response.write_eof()
    return response
