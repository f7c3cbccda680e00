"""Multipart forms as they arrive: short fields in memory, one file straight to the disk, everything counted."""

import asyncio
import os
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from aiohttp import (
    BadContentDispositionHeader,
    BadContentDispositionParam,
    BodyPartReader,
    ClientError,
    MultipartReader,
    hdrs,
    web,
)
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError

from engine.unfinished import unfinished
from server.files.user_files import readable_errors
from server.requests.budget import Budget
from server.requests.refusal import Refused

MAX_PARTS = 32
MAX_FIELD = 64 << 10  # bytes; a reference to a file is the longest there is
OVERHEAD = 64 << 10  # bytes of boundaries, headers and fields beside the file
PATIENCE = 60.0  # seconds without a byte, after which a client is taken for gone
AT_ONCE = 16  # forms that are received at the same time; a browser sends six
TURN = 20.0  # seconds that a form waits for its turn

ROOM = web.AppKey("forms", Budget)
"""How many forms are on their way: each may fill as much of the disk as an upload may be large."""

_CHUNK = 1 << 18
_AS_IS = ("", "binary", "8bit", "7bit", "identity")
# aiohttp's ways of saying that this is no form, or not all of it.
_NO_FORM = (
    web.RequestPayloadError,
    HttpProcessingError,
    ClientError,
    AssertionError,
    ValueError,
    LookupError,
    RuntimeError,
)


@dataclass(slots=True)
class Form:
    """What was sent. file: all of the uploaded bytes, on the disk only as long as the form is open. parts: in words."""

    file: Path
    filename: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)

    def without(self, name: str) -> str:
        """What to say to a client that sent no file in the part of that name."""
        came = ", ".join(self.parts) or "none"
        return f"expected the file in a part of the form named {name!r}, with a file name; the parts that came: {came}"


@asynccontextmanager
async def receive(request: web.Request, name: str, folder: Path, limit: int) -> AsyncIterator[Form]:
    """Reads a form, the file in its part `name` to a file in the folder; that one is gone again at the end.

    Raises: Refused: 400 when it is no whole form, 413 when it is too long, 408 when the client falls silent, 503 when
    too many others are on their way; ConnectionError, when he hangs up.
    """
    if (request.content_length or 0) > limit + OVERHEAD:
        raise _too_large(limit)
    _refuse_packed(request)
    _refuse_other_types(request, name)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(request.app[ROOM].take(1, patience=TURN))
        except TimeoutError:
            message = f"{AT_ONCE} uploads are on their way, as many as are taken at once; send it again in some seconds"
            raise Refused(503, message, headers={hdrs.RETRY_AFTER: "5"}) from None
        form = Form(await asyncio.to_thread(_reserve, stack, folder))
        try:
            await _read(_Reader(request.headers, request.content), name, form, limit)
        except TimeoutError:
            raise Refused(408, f"the rest of the form did not come within {PATIENCE:g} s; send it again") from None
        except ConnectionError:
            raise
        except _NO_FORM as error:
            raise _damaged(name, error) from error
        yield form


def _refuse_packed(request: web.Request) -> None:
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused(
            415, f"Content-Encoding: expected a form that is not packed, got {encoding!r:.40}; send it as it is"
        )


class _Reader(MultipartReader):
    """aiohttp's, which would have Python warn of a header that it cannot read."""

    async def fetch_next_part(self) -> MultipartReader | BodyPartReader:
        part = await super().fetch_next_part()
        if isinstance(part, BodyPartReader):
            _refuse_unreadable(part)
        return part


def _refuse_unreadable(part: BodyPartReader) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", BadContentDispositionHeader)
        warnings.simplefilter("error", BadContentDispositionParam)
        try:
            _ = part.name, part.filename
        except (BadContentDispositionHeader, BadContentDispositionParam) as error:
            header = part.headers[hdrs.CONTENT_DISPOSITION]
            raise Refused(
                400, f'expected a form whose parts say Content-Disposition: form-data; name="…", got {header!r:.100}'
            ) from error


def _reserve(stack: AsyncExitStack, folder: Path) -> Path:
    with readable_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return stack.enter_context(unfinished(folder, lambda file: None))


async def _read(reader: MultipartReader, name: str, form: Form, limit: int) -> None:
    room = limit
    for _ in range(MAX_PARTS):
        async with asyncio.timeout(PATIENCE):
            part = await reader.next()
        if part is None:
            return
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise Refused(400, "expected a form with named parts, got a part that has no name or parts of its own")
        _refuse_encoded(part)
        form.parts.append(f"{part.name!r:.60}" if part.filename is None else f"{part.name!r:.60} with a file")
        if part.name == name and part.filename is not None:
            if form.filename is not None:
                raise Refused(400, f"expected one file {name!r}, got several; upload one at a time")
            room -= await _to_disk(part, form.file, room, limit)
            form.filename = part.filename
        else:
            form.fields[part.name] = await _field(part, name, form)
    raise Refused(400, f"expected at most {MAX_PARTS} parts in the form, got more")


async def _field(part: BodyPartReader, name: str, form: Form) -> str:
    """A short text, also one that was sent as a file is; a file under another name than it should have is no such."""
    try:
        return await _text(part)
    except Refused as error:
        is_file = part.filename is not None or part.name == name
        if is_file and form.filename is None:
            raise Refused(400, form.without(name)) from error
        raise


def _refuse_encoded(part: BodyPartReader) -> None:
    for header in (hdrs.CONTENT_ENCODING, hdrs.CONTENT_TRANSFER_ENCODING):
        encoding = part.headers.get(header, "").strip().lower()
        if encoding not in _AS_IS:
            raise Refused(
                400, f"{part.name!r:.100}: {header} {encoding!r:.40} is not understood; send the bytes as they are"
            )


async def _to_disk(part: BodyPartReader, path: Path, room: int, limit: int) -> int:
    """Returns: how many bytes it was."""
    size = 0
    with open(path, "r+b") as file:
        async for block in _blocks(part):
            size += len(block)
            if size > room:
                raise _too_large(limit)
            await asyncio.to_thread(_write, file, block)
        await asyncio.to_thread(_sync, file)
    return size


def _write(file: BinaryIO, block: bytes) -> None:
    with readable_errors(Path(file.name).parent):
        file.write(block)


def _sync(file: BinaryIO) -> None:
    with readable_errors(Path(file.name).parent):
        file.flush()
        os.fsync(file.fileno())


async def _text(part: BodyPartReader) -> str:
    data = b""
    async for block in _blocks(part):
        data += block
        if len(data) > MAX_FIELD:
            raise Refused(413, f"{part.name!r:.100}: at most {MAX_FIELD:,} bytes are accepted for a field of a form")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused(400, f"{part.name!r:.100}: expected text in UTF-8, got other bytes") from error


async def _blocks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while not part.at_eof():
        async with asyncio.timeout(PATIENCE):
            block = await part.read_chunk(_CHUNK)
        if block:
            yield block


def _too_large(limit: int) -> Refused:
    return Refused(
        413,
        f"the upload is larger than {limit:,} bytes, the most that is accepted here (--max-upload-size of the server)",
    )


def _refuse_other_types(request: web.Request, name: str) -> None:
    """Raises: Refused, for what does not even say that it is a form."""
    if not request.content_type.startswith("multipart/") or hdrs.CONTENT_TYPE not in request.headers:
        said = request.headers.get(hdrs.CONTENT_TYPE)
        got = "a body without Content-Type" if said is None else f"Content-Type {said!r:.60}"
        raise Refused(400, f"{_expected(name)}, got {got}")


def _damaged(name: str, error: Exception) -> Refused:
    if isinstance(error, BadHttpMessage):  # of one part: the request's own were read before
        got = "a line in the head of a part that is too long, or too many of them; send fewer and shorter ones"
    elif "boundary" in str(error) and isinstance(error, ValueError):
        got = "one whose parts are not divided by the boundary that its Content-Type names"
    else:
        got = "one that was cut short or is damaged; send it again"
    return Refused(400, f"{_expected(name)}, got {got}")


def _expected(name: str) -> str:
    return f"expected a form (multipart/form-data) with the file in its field {name!r}"
