"""What a client makes its request for a file depend on: RFC 9110, 13 and 14, where aiohttp leaves something open."""

import os
import re

from aiohttp import hdrs, web
from multidict import CIMultiDict

from server.requests.refusal import Refused

_ONE_RANGE = re.compile(r"(?i)bytes=[^,]*")


def refuse(request: web.Request, found: os.stat_result) -> None:
    """Raises: Refused, with 412 when the file is another than expected, 416 when the range asked for is not in it."""
    expected, since = request.if_match, request.if_unmodified_since
    if expected is not None:
        is_right = any(each.value == "*" or (each.value == tag(found) and not each.is_weak) for each in expected)
    else:
        is_right = since is None or found.st_mtime <= since.timestamp()
    if not is_right:
        raise Refused(412, "the file has changed since; ask for it without If-Match and If-Unmodified-Since")
    if is_known(request, found) or is_for_all(request, found):
        return
    try:
        start = request.http_range.start
    except ValueError:
        start = found.st_size
    if start is not None and start >= found.st_size:
        raise Refused(
            416,
            f"Range: {request.headers[hdrs.RANGE]!r:.100} is not in this file of {found.st_size:,} bytes",
            headers={hdrs.CONTENT_RANGE: f"bytes */{found.st_size}"},
        )


def is_known(request: web.Request, found: os.stat_result) -> bool:
    """Whether the client has the file already; the answer is 304 then."""
    known, since = request.if_none_match, request.if_modified_since
    if known is not None:
        return any(each.value in ("*", tag(found)) for each in known)
    return since is not None and found.st_mtime <= since.timestamp()


def is_for_all(request: web.Request, found: os.stat_result) -> bool:
    """Whether the whole file is asked for: no range, one of a kind we do not know, or one of another version of it."""
    wanted, version = request.headers.get(hdrs.RANGE), request.headers.get(hdrs.IF_RANGE)
    if wanted is None or not _ONE_RANGE.fullmatch(wanted.strip()):
        return True
    if version is None:
        return False
    if request.if_range is not None:
        return found.st_mtime > request.if_range.timestamp()
    return version.strip() != f'"{tag(found)}"'


def for_all(request: web.BaseRequest) -> web.BaseRequest:
    """The same request without a range."""
    left = CIMultiDict(
        (name, value)
        for name, value in request.headers.items()
        if name.title() not in (hdrs.RANGE, hdrs.IF_RANGE) and value.isascii()
    )
    return request.clone(headers=left)


def tag(found: os.stat_result) -> str:
    """The ETag that aiohttp gives a file."""
    return f"{found.st_mtime_ns:x}-{found.st_size:x}"
