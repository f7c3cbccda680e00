"""/internal: the log, where folders are, what is in them; for ComfyUI's web page. Without /api in front."""

import os
from pathlib import Path

from aiohttp import web

from engine.errors import PathError
from engine.unfinished import is_unfinished
from server import keys
from server.events.log_lines import SIZE
from server.protocol.system import LogsMessage
from server.requests import fields, reply
from server.requests.body import read_object
from server.requests.fields import BadField
from server.requests.refusal import Refused


async def logs(request: web.Request) -> web.Response:
    """The newest lines of the log as one text."""
    entries = request.app[keys.LOG_LINES].recent.entries
    return await reply.long(lambda: "".join(f"{each['t']} - {each['m']}" for each in entries))


async def raw_logs(request: web.Request) -> web.Response:
    """The same line by line."""
    message: LogsMessage = {"entries": request.app[keys.LOG_LINES].recent.entries, "size": SIZE}
    return await reply.long(lambda: message)


async def subscribe(request: web.Request) -> web.Response:
    """Has a client's socket told of new lines, or no longer."""
    sent = await read_object(request)
    client = fields.text(sent, "clientId")
    if not client:
        raise BadField("clientId", "the id of a socket", sent.get("clientId"))
    request.app[keys.LOG_LINES].subscribe(client, fields.flag(sent, "enabled"))
    return web.Response()


async def folder_paths(request: web.Request) -> web.Response:
    """The folders of every kind of model."""
    known = request.app[keys.FOLDERS]
    return await reply.long(lambda: {kind: [str(each) for each in known.folders(kind)] for kind in known.kinds()})


async def files(request: web.Request) -> web.Response:
    """The names of the files in the output, input or temp folder, the newest first."""
    try:
        root = request.app[keys.FOLDERS].root(request.match_info["type"])
    except PathError as error:
        raise Refused(400, str(error)) from error
    return await reply.long(lambda: _newest_first(root))


def _newest_first(folder: Path) -> list[str]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file() and not entry.name.startswith(".") and not is_unfinished(entry.name):
                    found.append((-entry.stat().st_mtime_ns, entry.name))
    except OSError:  # nobody has kept anything yet, or it goes away just now
        pass
    return [name for _, name in sorted(found)]


BARE_ROUTES = (
    web.get("/internal/logs", logs),
    web.get("/internal/logs/raw", raw_logs),
    web.patch("/internal/logs/subscribe", subscribe),
    web.get("/internal/folder_paths", folder_paths),
    web.get("/internal/files/{type}", files),
)
