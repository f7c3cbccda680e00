"""GET /api/pictures: everything drawn, the newest first."""

from pathlib import Path

from aiohttp import web

from server import keys
from server.files import drawn
from server.protocol.files import DrawnPicture, FolderType, PicturePage
from server.requests import query, reply

DEFAULT = 60
MOST = 500
"""Pictures in one answer; each one's first bytes are read."""

TYPES: tuple[FolderType, ...] = ("output", "input")


async def show(request: web.Request) -> web.Response:
    """A page of pictures, with the cursor of the next."""
    limit = min(query.whole(request, "limit", least=1) or DEFAULT, MOST)
    name = query.one_of(request, "type", TYPES, "output")
    type = next(each for each in TYPES if each == name)
    root, before = request.app[keys.FOLDERS].root(type), request.query.get("before", "")
    return await reply.long(lambda: page(root, type, limit, before))


def page(root: Path, type: FolderType, limit: int, before: str = "") -> PicturePage:
    """The answer; in a thread. Raises: Refused."""
    found, has_more = drawn.page(root, limit, before)
    shown = [_told(root, type, each) for each in found]
    return {"pictures": shown, "next": found[-1].cursor if has_more else None}


def _told(root: Path, type: FolderType, each: drawn.Drawn) -> DrawnPicture:
    subfolder, _, filename = each.place.path.rpartition("/")
    size = drawn.size_of(root / each.place.path)
    return {
        "filename": filename,
        "subfolder": subfolder,
        "type": type,
        "size": each.size,
        "modified": each.place.modified // 1_000_000,
        "width": None if size is None else size[0],
        "height": None if size is None else size[1],
    }


API_ROUTES = (web.get("/api/pictures", show),)
